// `pnpm dev`: builds, runs the full stack, and builds and restarts on every change of a source file.
// `--store mongodb://…/reg`: on that database instead of in memory; rather as REG_STORE where a password is in it,
// since pnpm prints the flags. The tickets are in the database that MONGO_URL names.
// Ports: REG_GATEWAY_PORT (3000), REG_REGISTRY_PORT (3100), TICKETS_PORT or PORT (3001); 0 is any free one.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { killAll, startCommand, startProgram } from './dev/child.mjs';
import { watchSources } from './dev/watch-sources.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const reg = 'packages/cli/dist/main.js';
const { values: flags } = parseArgs({ options: { store: { type: 'string' } } });
const env = {
  REG_DATA: '.reg',
  ...process.env,
  ...(flags.store && { REG_STORE: flags.store }), // read in no list of processes
  TURBO_TELEMETRY_DISABLED: '1',
};
const listedWithinMs = 20_000;

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
const running = { reg: undefined, tickets: undefined };
/** Kept over restarts, so that the printed addresses stay true where the port was any free one. */
let addresses;

try {
  process.exitCode = await main();
} catch (error) {
  if (error !== asked) throw error;
  console.log('stopping');
} finally {
  await stop('tickets'); // first, so that it is unregistered
  await stop('reg');
}
process.exit(); // a watch or a pipe must not keep what has ended

async function main() {
  const sources = watchSources(root, ['packages', 'apps']); // from before the build: nothing is missed
  if (!(await build())) return 1;
  if (!(await start())) return 1; // the child said why on stderr
  const { gateway, registry, tickets, store = 'memory' } = addresses;
  console.log(`gateway   ${gateway}\nregistry  ${registry}\nstore     ${store}\ntickets   ${tickets}\n`);
  console.log(`curl -H 'Authorization: Bearer ${await token()}' ${gateway}/tickets\n`);
  console.log('A change in a source file is built and restarted; Ctrl-C ends everything.');

  for (let change = sources.next(); ; ) {
    const event = await orStopped(Promise.race([change, ...deaths()]));
    if (event === running.reg) {
      console.error(`reg up ended ${(await event.ended).how}: nothing goes on without it`);
      return 1;
    }
    if (event === running.tickets) {
      console.error(`tickets ended ${(await event.ended).how}: it starts again with the next change`);
      running.tickets = undefined;
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
  await stop('tickets');
  if (!ticketsOnly) await stop('reg');
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
  return (running.reg || (await startReg())) && (running.tickets || (await startTickets()));
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

/** @returns what `ready` gives; undefined where the child ended before */
async function readyOrGone(name, ready) {
  const gone = running[name].ended.then(() => undefined);
  const answer = await orStopped(Promise.race([ready, gone]));
  if (answer === undefined) await stop(name);
  return answer;
}

/** Waits until the registry lists the tickets that listen there. @returns their origin, or undefined: it never did */
async function listed(origin) {
  const end = performance.now() + listedWithinMs;
  while (performance.now() < end) {
    const { instances = [] } = await fetch(`${addresses.registry}/v1/services/tickets`)
      .then((response) => response.json())
      .catch(() => ({})); // a registry that died is told by `deaths`
    if (instances.some(({ endpoints }) => endpoints.some(({ url }) => url.startsWith(`${origin}/`))))
      return origin;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.error(`tickets at ${origin} did not register within ${listedWithinMs / 1_000} s`);
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
