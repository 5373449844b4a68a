// However a process ends, it is unlisted at once and it ends as it would without us: these are real
// processes of the built package, each beside the same script without us.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { type StartedProcess, startProcess } from '../../../tests/support/process.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { runScript, service } from '../testing/script.ts';

const script = fileURLToPath(new URL('../testing/ends.mjs', import.meta.url));
if (!existsSync(new URL('../dist/index.js', import.meta.url))) throw new Error('build first: pnpm build');

async function start(how: string, registry?: TestRegistry, env: Record<string, string> = {}) {
  const process = await startProcess('node', [script, how], {
    env: { ...env, SELF_REGISTRY: registry?.url },
  });
  const [, url = ''] = await process.printed(/^ready (.*)$/m);
  return { process, url, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

/** A signal is sent; all else the script does by itself, once it is asked to. */
function end(process: StartedProcess, how: string): void {
  process.kill(how.startsWith('SIG') ? (how as NodeJS.Signals) : 'SIGUSR2');
}

async function endOf(how: string, registry?: TestRegistry, env: Record<string, string> = {}) {
  await using service = await start(how, registry, env);
  if (registry) expect(await registry.listed('ends')).toHaveLength(1);
  end(service.process, how);
  const { code, signal } = await service.process.ended;
  // The frame of `emit` differs with the number of listeners: another line of node's own file.
  return { code, signal, stderr: service.process.stderr().replace(/node:events:\d+:\d+/g, 'node:events') };
}

const kinds = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'exit',
  'throw',
  'reject',
  'natural',
  'natural-with-code',
  'exit-listener-throws',
  'handler-exits',
];

test.each(kinds)('%s: unlisted when the process is gone, and it ends as without us', async (how) => {
  await using registry = await startRegistry();
  const [without, withUs] = await Promise.all([endOf(how), endOf(how, registry)]);
  expect(await registry.listed('ends')).toEqual([]);
  expect(withUs).toEqual(without);
});

test.each(['SIGTERM', 'exit'])('%s: a registration without a lease is unlisted too', async (how) => {
  await using registry = await startRegistry();
  await endOf(how, registry, { LEASE: 'none' });
  expect(await registry.listed('ends')).toEqual([]);
});

test.each(['SIGTERM', 'exit', 'throw', 'natural'])(
  '%s: a registry that is gone or frozen holds nobody back',
  async (how) => {
    await using registry = await startRegistry();
    const without = await endOf(how);
    for (const away of [registry.stop, registry.freeze]) {
      await registry.start();
      await using service = await start(how, registry);
      await away();
      end(service.process, how);
      const { code, signal } = await service.process.ended;
      expect({ code, signal }).toEqual({ code: without.code, signal: without.signal });
    }
  },
);

test.each(['handler-lives-on', 'capture-lives-on'])(
  '%s: an app that survives its exception stays listed',
  async (how) => {
    await using registry = await startRegistry();
    await using service = await start(how, registry);
    end(service.process, how);
    await service.process.printed(/^lives on$/m);
    expect(await registry.listed('ends')).toEqual([expect.objectContaining({ state: 'up' })]);
  },
);

test('a request under way is answered before the process ends', async () => {
  await using registry = await startRegistry();
  await using service = await start('SIGTERM', registry, { HOLD_MS: '300' });
  const answer = fetch(service.url).then((response) => response.text());
  await service.process.printed(/^request$/m);
  service.process.kill('SIGTERM');
  expect(await answer).toBe('answered');
  expect(await service.process.ended).toEqual({ code: null, signal: 'SIGTERM' });
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s ends an app with the library signal-exit too',
  async (signal) => {
    await using registry = await startRegistry();
    await using service = await start('signal-exit', registry);
    service.process.kill(signal);
    expect(await service.process.ended).toEqual({ code: null, signal });
    expect(service.process.stdout()).toContain(`signal-exit saw ${signal}`);
    expect(await registry.listed('ends')).toEqual([]);
  },
);

test('an app that handles the signal itself ends itself: we leave, and raise nothing', async () => {
  await using registry = await startRegistry();
  await using service = await start('own-signal', registry);
  service.process.kill('SIGTERM');
  expect(await service.process.ended).toEqual({ code: 0, signal: null });
  expect(service.process.stdout().match(/app got SIGTERM/g)).toHaveLength(1);
  expect(service.process.stderr()).toBe('');
  expect(await registry.listed('ends')).toEqual([]);
});

test.each(['own-signal-once', 'own-signal-exits'])('%s: the exit code is the app its own', async (how) => {
  await using registry = await startRegistry();
  await using service = await start(how, registry);
  service.process.kill('SIGTERM');
  expect(await service.process.ended).toEqual({ code: 5, signal: null });
  expect(await registry.listed('ends')).toEqual([]);
});

// Story: a service that reads its settings anew on SIGHUP vanished from the list each time.
test('an app that reloads on SIGHUP stays listed', async () => {
  await using registry = await startRegistry();
  await using service = await start('reload', registry);
  service.process.kill('SIGHUP');
  await service.process.printed(/^reloaded$/m);
  service.process.kill('SIGHUP');
  await eventually(() => service.process.stdout().match(/reloaded/g)?.length === 2);
  expect(await registry.listed('ends')).toEqual([expect.objectContaining({ state: 'up' })]);
  service.process.kill('SIGTERM');
  expect(await service.process.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(await registry.listed('ends')).toEqual([]);
});

test('a second signal ends the process at once, unlisted', async () => {
  await using registry = await startRegistry();
  await using service = await start('SIGTERM', registry, { HOLD_MS: '600000', DRAIN_MS: '600000' });
  const answer = fetch(service.url).catch(() => 'none');
  await service.process.printed(/^request$/m);
  service.process.kill('SIGTERM');
  await eventually(
    () => registry.listed('ends'),
    ([one]) => one?.state === 'draining',
  );
  service.process.kill('SIGINT');
  expect(await service.process.ended).toEqual({ code: null, signal: 'SIGINT' });
  expect(await registry.listed('ends')).toEqual([]);
  expect(await answer).toBe('none');
});

test('a script that registers and has nothing left to do ends by itself, unlisted', async () => {
  await using registry = await startRegistry();
  await using script = await runScript(
    `await client.register(${service}); console.log('registered');`,
    registry,
  );
  expect(await script.ended).toEqual({ code: 0, signal: null });
  expect(script.stdout()).toBe('registered\n');
  expect(script.stderr()).toBe('');
  expect(await registry.listed('ends')).toEqual([]);
});

test('a view of services keeps no process alive', async () => {
  await using registry = await startRegistry();
  await using script = await runScript(`console.log((await client.discover('none')).instances);`, registry);
  expect(await script.ended).toEqual({ code: 0, signal: null });
  expect(script.stdout()).toBe('[]\n');
});

test('a script that awaits register() waits for a registry that is away', async () => {
  await using registry = await startRegistry();
  await registry.stop();
  await using script = await runScript(
    `await client.register(${service}); console.log('registered');`,
    registry,
  );
  await script.printed(/ECONNREFUSED/);
  await registry.start();
  await script.printed(/^registered$/m);
  expect(await script.ended).toEqual({ code: 0, signal: null });
});

// Story: register() gave up when the process was told to end, and its rejection turned SIGTERM into exit code 1.
test('a signal while register() is still waiting for a registry ends the process by that signal', async () => {
  await using registry = await startRegistry();
  await registry.stop();
  await using script = await runScript(`await client.register(${service});`, registry);
  await script.printed(/ECONNREFUSED/);
  script.kill('SIGTERM');
  expect(await script.ended).toEqual({ code: null, signal: 'SIGTERM' });
});

const successor = {
  url: '/ends',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:9' }],
  authorizedRoles: [],
};

/** Answers when it is told to. */
const slowServer = `
  const { createServer } = await import('node:http');
  const server = createServer((_, response) => {
    console.log('asked');
    process.once('SIGUSR2', () => response.end('answered'));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = 'http://127.0.0.1:' + server.address().port;`;

test('onRefused exit: one line, exit code 1', async () => {
  await using registry = await startRegistry();
  const refused = `{ ...${service}, url: 'wrong', onRefused: 'exit' }`;
  await using script = await runScript(`await client.register(${refused});`, registry);
  expect(await script.ended).toEqual({ code: 1, signal: null });
  expect(script.stderr()).toMatch(/^reg: ends \(127\.0\.0\.1-9\): refused: invalid_request: url: .*\n$/);
});

test('onRefused exit, replaced by a newer run: what is in flight is answered, then it ends well', async () => {
  await using registry = await startRegistry();
  const leased = `{ ...${service}, lease: { ttlMs: 1_000 }, onRefused: 'exit' }`;
  await using script = await runScript(
    `${slowServer} await client.register(${leased}); console.log('at ' + url);`,
    registry,
  );
  const [, url = ''] = await script.printed(/^at (.*)$/m);
  const slow = fetch(url).then((response) => response.text());
  await script.printed(/^asked$/m);
  await registry.put('ends', '127.0.0.1-9', { ...successor, runId: 'successor' });
  await script.printed(/refused: generation_superseded/);
  expect(await Promise.race([script.ended, 'running'])).toBe('running');
  script.kill('SIGUSR2');
  expect(await slow).toBe('answered');
  expect(await script.ended).toEqual({ code: 0, signal: null });
  expect(script.stderr()).toMatch(/^reg: ends .*refused: generation_superseded: .*\n$/);
  expect((await registry.listed('ends')).map(({ runId }) => runId)).toEqual(['successor']);
});

// Story: a run that was replaced let go of the signals, so that SIGTERM, which a deployment sends once the
// new run is there, cut off the requests that the old one was still answering.
test.each([0, 1])(
  'a replaced run answers what is in flight before SIGTERM ends it (heard of it: %i)',
  async (heard) => {
    await using registry = await startRegistry();
    const leased = `{ ...${service}, lease: { ttlMs: ${heard ? 1_000 : 60_000} } }`;
    await using script = await runScript(
      `${slowServer} await client.register(${leased}); console.log('at ' + url);`,
      registry,
    );
    const [, url = ''] = await script.printed(/^at (.*)$/m);
    const slow = fetch(url).then((response) => response.text());
    await script.printed(/^asked$/m);
    await registry.put('ends', '127.0.0.1-9', { ...successor, runId: 'successor' });
    if (heard) await script.printed(/generation_superseded/);

    script.kill('SIGTERM');
    script.kill('SIGUSR2');
    expect(await slow).toBe('answered');
    expect(await script.ended).toEqual({ code: null, signal: 'SIGTERM' });
    expect((await registry.listed('ends')).map(({ runId }) => runId)).toEqual(['successor']);
    if (!heard) expect(script.stderr()).toBe('');
  },
);
