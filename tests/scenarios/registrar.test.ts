// The registrar with real processes that know nothing of it: who listens and passes is listed, who does not is not.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { policyFolder, startPlainApp, startRegistrar, startWebhook } from '../support/registrar.ts';
import { listed, runReg, startRegistry } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function policyOf(ports: readonly number[], more = ''): string {
  return `
url: /plain
authorizedRoles: []
runs: { ports: [${ports.join(', ')}] }
checks: [{ type: http }]
checking: { intervalMs: 300, timeoutMs: 1000, failures: 2, passes: 2, unregisterAfterMs: 500 }
${more}`;
}

const soon = { withinMs: 30_000 };

async function setUp() {
  const folder = await temporaryFolder();
  const registry = await startRegistry(join(folder.path, 'data'));
  const policies = await policyFolder(folder.path);
  return {
    registry,
    policies,
    listed: () => listed(registry.url, 'plain'),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('who listens is listed once it passes; failing it is drained, then unlisted; passing again it is listed anew', async () => {
  await using here = await setUp();
  const port = await freePort();
  await here.policies.write('plain.yaml', policyOf([port]));
  await using registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using app = await startPlainApp(port);

  const [first] = await eventually(here.listed, (all) => all.length === 1, soon);
  expect(first).toMatchObject({
    instanceId: `127.0.0.1-${port}`,
    owner: 'registrar:here',
    state: 'up',
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}/plain` }],
  });

  await app.setHealth(503);
  await eventually(here.listed, ([one]) => one?.state === 'draining');
  await eventually(here.listed, (all) => all.length === 0, soon);
  const drained = `plain 127.0.0.1-${port} drained: failing: GET /health: 503, 2 times in a row`;
  await eventually(registrar.log, (lines) => lines.includes(drained));

  await app.setHealth(200);
  const [second] = await eventually(here.listed, (all) => all.length === 1, soon);
  expect(second?.state).toBe('up');
  expect(second?.generation).toBeGreaterThan(first?.generation ?? 0);

  app.kill('SIGKILL');
  await eventually(here.listed, (all) => all.length === 0, soon);
  await eventually(registrar.log, (lines) =>
    lines.includes(`plain 127.0.0.1-${port} unregistered: its process is gone`),
  );
});

test('one that passes again before it is unlisted is listed as another run, without a gap', async () => {
  await using here = await setUp();
  const port = await freePort();
  await here.policies.write(
    'plain.yaml',
    policyOf([port]).replace('unregisterAfterMs: 500', 'unregisterAfterMs: 60000'),
  );
  await using _registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using app = await startPlainApp(port);
  await eventually(here.listed, (all) => all.length === 1, soon);
  await app.setHealth(500);
  await eventually(here.listed, ([one]) => one?.state === 'draining');
  await app.setHealth(200);
  await eventually(here.listed, (all) => all.length === 1 && all[0]?.state === 'up');
});

test('a process that listens 3 s late is not listed before it does', async () => {
  await using here = await setUp();
  const port = await freePort();
  await here.policies.write('plain.yaml', policyOf([port]));
  await using _registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using app = await startPlainApp(port, { LISTEN_AFTER_MS: '3000' });
  let listedAt = Number.POSITIVE_INFINITY;
  await eventually(async () => {
    const listening = app.stdout().includes('listening');
    const all = await here.listed();
    if (all.length > 0 && !listening) listedAt = -1;
    return listening && all.length === 1;
  });
  expect(listedAt).not.toBe(-1);
});

test('what others registered is left alone, though its port fails', async () => {
  await using here = await setUp();
  const [mine, its] = [await freePort(), await freePort()];
  await here.policies.write('plain.yaml', policyOf([mine, its]));
  const others = [
    '--url',
    '/plain',
    '--endpoint',
    `http://127.0.0.1:${its}/plain`,
    '--owner',
    'systemd:plain.service',
  ];
  await runReg(here.registry.url, 'register', 'plain', ...others);
  await using registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using _mine = await startPlainApp(mine);
  await using app = await startPlainApp(its);
  const says = (change: string) => (lines: readonly string[]) =>
    lines.some((line) => line.startsWith(`plain 127.0.0.1-${its} ${change}`));
  await eventually(here.listed, (all) => all.length === 2, soon);
  await eventually(registrar.log, says('starting -> passing'), soon);
  await app.setHealth(500);
  await eventually(registrar.log, says('passing -> failing'), soon);
  app.kill('SIGKILL');
  await app.ended;
  (await startPlainApp(its)).kill('SIGKILL'); // and one comes and goes
  expect(await here.listed()).toMatchObject([{ state: 'up' }, { state: 'up' }]);
});

test('an edit of the entry changes it for all in one revision; deleting the file unlists all', async () => {
  await using here = await setUp();
  const ports = [await freePort(), await freePort()];
  await here.policies.write('plain.yaml', policyOf(ports));
  await using _registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using _one = await startPlainApp(ports[0] ?? 0);
  await using _other = await startPlainApp(ports[1] ?? 0);
  await eventually(here.listed, (all) => all.length === 2, soon);

  const service = async () => {
    const response = await fetch(`${here.registry.url}/v1/services/plain`);
    return (await response.json()) as { authorizedRoles: string[]; instances: { version?: string }[] };
  };
  await here.policies.write(
    'plain.yaml',
    policyOf(ports, 'version: "2"').replace('authorizedRoles: []', 'authorizedRoles: [query]'),
  );
  await eventually(service, ({ authorizedRoles }) => authorizedRoles[0] === 'query');
  await eventually(
    service,
    ({ instances }) => instances.length === 2 && instances.every(({ version }) => version === '2'),
  );

  await here.policies.remove('plain.yaml');
  await eventually(here.listed, (all) => all.length === 0, soon);
});

test('a file broken by an edit stays in force as it was, and the log names the line', async () => {
  await using here = await setUp();
  const port = await freePort();
  await here.policies.write('plain.yaml', policyOf([port]));
  await using registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using _app = await startPlainApp(port);
  const [before] = await eventually(here.listed, (all) => all.length === 1, soon);

  await here.policies.write('plain.yaml', policyOf([port]).replace('failures: 2', 'failures: two'));
  await eventually(registrar.log, (lines) => lines.some((line) => line.startsWith('plain.yaml:6:')));
  await eventually(registrar.log, (lines) =>
    lines.includes('plain.yaml: what it said before stays in force'),
  );
  expect(await here.listed()).toMatchObject([{ generation: before?.generation, state: 'up' }]);

  await here.policies.write('plain.yaml', policyOf([port], 'version: mended'));
  await eventually(here.listed, ([one]) => one?.version === 'mended');
});

test('failing and recovered are told: to a program on its stdin, to a webhook in its body', async () => {
  await using here = await setUp();
  await using hook = await startWebhook();
  const port = await freePort();
  const file = join(here.policies.path, 'event');
  const on = `on: { failing: { command: [sh, -c, 'cat >${file}'] }, recovered: { webhook: '${hook.url}' } }`;
  await here.policies.write('plain.yaml', policyOf([port], on));
  await using _registrar = await startRegistrar(here.registry.url, here.policies.path);
  await using app = await startPlainApp(port);
  await eventually(here.listed, (all) => all.length === 1, soon);
  const about = { service: 'plain', instanceId: `127.0.0.1-${port}`, registrar: 'registrar:here' };

  await app.setHealth(500);
  const told = await eventually(
    () => readFile(file, 'utf8'),
    (text) => text.endsWith('\n'),
    soon,
  );
  expect(JSON.parse(told)).toMatchObject({
    event: 'failing',
    ...about,
    because: expect.stringContaining('500'),
  });
  await app.setHealth(200);
  await eventually(() => hook.bodies.length === 1, Boolean, soon);
  expect(hook.bodies).toMatchObject([{ event: 'recovered', ...about }]);
});

test('those that register themselves are checked where a policy says so, and left alone', async () => {
  await using here = await setUp();
  const port = await freePort();
  await using app = await startPlainApp(port);
  await runReg(
    here.registry.url,
    'register',
    'plain',
    '--url',
    '/plain',
    '--endpoint',
    `http://127.0.0.1:${port}/plain`,
  );
  await here.policies.write(
    'plain.yaml',
    'checks: [{ type: http }]\nchecking: { intervalMs: 300, failures: 2 }\n',
  );
  await using registrar = await startRegistrar(here.registry.url, here.policies.path);
  const said = (text: string) => () =>
    registrar.log().some((line) => line.startsWith(`plain 127.0.0.1-${port} ${text}`));
  await eventually(said('starting -> passing'), Boolean, soon);
  await app.setHealth(500);
  await eventually(said('passing -> failing: GET /health: 500'), Boolean, soon);
  expect(await here.listed()).toMatchObject([{ state: 'up' }]);
  const service = async () =>
    (await fetch(`${here.registry.url}/v1/services/plain`)).json() as Promise<{ policy?: object }>;
  await eventually(service, ({ policy }) => policy !== undefined, soon);

  // The file is the one that set it, so it goes with the file.
  await here.policies.remove('plain.yaml');
  await eventually(service, ({ policy }) => policy === undefined, soon);
  expect(await here.listed()).toMatchObject([{ state: 'up' }]);
});
