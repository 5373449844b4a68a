// `pnpm dev`: builds, runs the full stack, and builds and restarts on every change of a source file.
// `--store mongodb://…/reg`: on that database instead of in memory; rather as REG_STORE where a password is in it,
// since pnpm prints the flags. The tickets are in the database that MONGO_URL names.
// Ports: `--gateway-port` or REG_GATEWAY_PORT (3000), `--registry-port` or REG_REGISTRY_PORT (3100), TICKETS_PORT or PORT
// (3001), TICKETS_QUERY_PORT (3002); 0 is any free one. With other ports a second one may run beside the first.
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { killAll, startCommand, startProgram } from './dev/child.mjs';
import { watchSources } from './dev/watch-sources.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const reg = 'packages/cli/dist/main.js';
const text = { type: 'string' };
const { values: flags } = parseArgs({
  options: { store: text, 'gateway-port': text, 'registry-port': text },
});
const env = {
  REG_DATA: '.reg',
  ...process.env,
  ...(flags.store && { REG_STORE: flags.store }), // read in no list of processes
  ...(flags['gateway-port'] && { REG_GATEWAY_PORT: flags['gateway-port'] }),
  ...(flags['registry-port'] && { REG_REGISTRY_PORT: flags['registry-port'] }),
  TURBO_TELEMETRY_DISABLED: '1',
};
/** What the registrar of `dev` follows: the sample's policy, with the port that was taken; another `dev` has its own. */
const policiesFor = (query) => `.reg/policies-${new URL(query).port}`;
const samplePolicy = 'apps/tickets/policies/tickets-query.yaml';
const listedWithinMs = 20_000;
/** Of what knows nothing of `dev`, so that it cannot say itself how to choose its port here. */
const portNames = { tickets: 'TICKETS_PORT', 'tickets-query': 'TICKETS_QUERY_PORT' };

/** One Ctrl-C may come twice, from the terminal and forwarded by pnpm; a second one ends all at once. */
const sameSignalMs = 500;
/** Thrown by every wait once a signal came. */
const asked = new Error('a signal asked us to end');
const stopped = new Promise((_, reject) => {
  let firstAt;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      firstAt ??= performance.now();
      reject(asked);
      if (performance.now() - firstAt < sameSignalMs) return;
      killAll();
      process.exit(130);
    });
  }
});
stopped.catch(() => {}); // whoever waits hears it; between two waits nobody does
const orStopped = (promise) => Promise.race([stopped, promise]);

/** What runs now, or begins to. */
const running = { reg: undefined, tickets: undefined, 'tickets-query': undefined, registrar: undefined };
/** Kept over restarts, so that the printed addresses stay true where the port was any free one. */
let addresses;
/** The last first: what registers leaves before the registry does. */
const endOrder = ['tickets', 'registrar', 'tickets-query', 'reg'];

try {
  process.exitCode = await main();
} catch (error) {
  if (error !== asked) throw error;
  console.log('stopping');
} finally {
  for (const name of endOrder) await stop(name);
}
process.exit(); // a watch or a pipe must not keep what has ended

async function main() {
  const sources = watchSources(root, ['packages', 'apps']); // from before the build: nothing is missed
  if (!(await build())) return 1;
  if (!(await start())) return 1; // the child said why on stderr
  const { gateway, registry, tickets, 'tickets-query': query, store = 'memory' } = addresses;
  console.log(`gateway   ${gateway}\nregistry  ${registry}\nstore     ${store}\ntickets   ${tickets}`);
  console.log(
    `tickets-query  ${query}, which knows nothing of us: the registrar lists it by ${policiesFor(query)}\n`,
  );
  console.log(`curl -H 'Authorization: Bearer ${await orStopped(token())}' ${gateway}/tickets\n`);
  console.log('A change in a source file is built and restarted; Ctrl-C ends everything.');

  for (let change = sources.next(); ; ) {
    const event = await orStopped(Promise.race([change, ...deaths()]));
    if (event === running.reg) {
      console.error(`reg up ended ${(await event.ended).how}: nothing goes on without it`);
      return 1;
    }
    const ended = Object.keys(running).find((name) => running[name] === event);
    if (ended) {
      console.error(`${ended} ended ${(await event.ended).how}: it starts again with the next change`);
      running[ended] = undefined;
      continue;
    }
    change = sources.next();
    await rebuild(event);
  }
}

/** A promise per child: it resolves with the child when that ends. */
function deaths() {
  return Object.values(running).flatMap((child) => (child ? [child.ended.then(() => child)] : []));
}

/** @param {Set<string>} changed packages */
async function rebuild(changed) {
  console.log(`${[...changed].join(', ')} changed: building`);
  if (!(await build())) {
    console.error('the build failed: what ran before runs on');
    return;
  }
  const ticketsOnly = [...changed].every((name) => name === 'apps/tickets');
  for (const name of endOrder) if (!ticketsOnly || name.startsWith('tickets')) await stop(name);
  if (await start()) console.log(`restarted ${ticketsOnly ? 'tickets' : 'reg up and tickets'}`);
  else console.error('what did not start is tried again with the next change');
}

/** @returns false where it failed; then what the compiler said was printed */
async function build() {
  const args = ['run', 'build', '--output-logs=errors-only', '--ui=stream', '--no-update-notifier'];
  const turbo = startCommand(`${root}node_modules/.bin/turbo`, args, { cwd: root, env });
  try {
    const { code } = await orStopped(turbo.ended);
    if (code !== 0) console.error(turbo.output());
    return code === 0;
  } catch (error) {
    await turbo.stop();
    throw error;
  }
}

/** Starts what does not run. @returns false where one of them ended before it was ready: it said why on stderr */
async function start() {
  return (
    (running.reg || (await startReg())) &&
    (running.tickets || (await startTickets())) &&
    (running['tickets-query'] || (await startQuery())) &&
    (running.registrar || (await startRegistrar()))
  );
}

async function startReg() {
  const portOf = (url) => new URL(url).port;
  const portsAsBefore = addresses
    ? ['--gateway-port', portOf(addresses.gateway), '--registry-port', portOf(addresses.registry)]
    : [];
  const child = startProgram([reg, 'up', '--json', ...portsAsBefore], {
    cwd: root,
    env,
    ready: /^\{.*\}$/,
  });
  running.reg = child;
  const line = await readyOrGone('reg', child.ready);
  if (line !== undefined) addresses = JSON.parse(line);
  return line !== undefined;
}

async function startTickets() {
  const child = startProgram(['apps/tickets/dist/service.js'], {
    cwd: root,
    env: { ...env, PORT: env.TICKETS_PORT ?? env.PORT ?? '3001', SELF_REGISTRY: addresses.registry },
    ready: /http:\/\/\S+/,
  });
  running.tickets = child;
  addresses.tickets = await readyOrGone('tickets', child.ready.then(listed));
  return addresses.tickets !== undefined;
}

/** The same app without a word of ours: it registers nothing. */
async function startQuery() {
  const { SELF_REGISTRY: _, ...without } = env;
  const taken = addresses['tickets-query'] && new URL(addresses['tickets-query']).port;
  const child = startProgram(['apps/tickets/dist/app-only.js'], {
    cwd: root,
    env: { ...without, PORT: taken ?? env.TICKETS_QUERY_PORT ?? '3002' },
    ready: /http:\/\/\S+/,
  });
  running['tickets-query'] = child;
  addresses['tickets-query'] = await readyOrGone('tickets-query', child.ready);
  return addresses['tickets-query'] !== undefined;
}

async function startRegistrar() {
  const { port } = new URL(addresses['tickets-query']);
  const policies = policiesFor(addresses['tickets-query']);
  await mkdir(`${root}${policies}`, { recursive: true });
  const policy = await readFile(root + samplePolicy, 'utf8');
  await writeFile(
    `${root}${policies}/tickets-query.yaml`,
    policy.replace('ports: [3002]', `ports: [${port}]`),
  );
  const args = [
    reg,
    'registrar',
    '--json',
    '--name',
    'dev',
    '--policies',
    policies,
    '--registry',
    addresses.registry,
  ];
  const child = startProgram(args, { cwd: root, env, ready: /^\{"registrar".*\}$/ });
  running.registrar = child;
  const origin = addresses['tickets-query'];
  const there = child.ready.then(() => listed(origin, 'tickets-query'));
  return (await readyOrGone('registrar', there)) !== undefined;
}

/** @returns what `ready` gives; undefined where the child ended before */
async function readyOrGone(name, ready) {
  const gone = Symbol(name);
  const ended = running[name].ended.then(() => gone);
  const answer = await orStopped(Promise.race([ready, ended]));
  if (answer !== gone && answer !== undefined) return answer;
  if (answer === gone && name in portNames)
    console.error(`${name} did not start: where its port is taken, ${portNames[name]} chooses another`);
  await stop(name);
  return undefined;
}

/** Waits until the registry lists what listens there. @returns their origin, or undefined: it never did */
async function listed(origin, name = 'tickets') {
  const end = performance.now() + listedWithinMs;
  while (performance.now() < end) {
    const { instances = [] } = await fetch(`${addresses.registry}/v1/services/${name}`)
      .then((response) => response.json())
      .catch(() => ({})); // a registry that died is told by `deaths`
    if (instances.some(({ endpoints }) => endpoints.some(({ url }) => url.startsWith(`${origin}/`))))
      return origin;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.error(`${name} at ${origin} did not register within ${listedWithinMs / 1_000} s`);
  return undefined;
}

async function stop(name) {
  await running[name]?.stop();
  running[name] = undefined;
}

/** Signed with the secret that `reg up` made or was given. */
async function token() {
  const args = [reg, 'token', '--sub', 'dev', '--roles', 'tickets-query', '--ttl', '12h'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
  return stdout.trim();
}
