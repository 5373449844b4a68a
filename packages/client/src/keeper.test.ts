// A busy event loop is no dead service, and one that stands still for good is: real processes whose main
// thread works until a file appears, so that nothing here waits for a time.
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { ListedInstance } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import type { StartedProcess } from '../../../tests/support/process.ts';
import { run } from '../../../tests/support/run.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { startProxy } from '../testing/proxy.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { runScript, service } from '../testing/script.ts';

const leased = (more = '') => `{ ...${service}, lease: { ttlMs: 1_000 }, ${more} }`;
const alive = 'setInterval(() => {}, 1_000);';
const holds = `${alive} await client.register(${leased()}); console.log('registered');`;

const listedAs = async (registry: TestRegistry) => (await registry.listed('ends'))[0];
const revisionOf = async ({ url }: TestRegistry) =>
  ((await (await fetch(`${url}/v1/services`)).json()) as { revision: number }).revision;

interface Blocked extends AsyncDisposable {
  readonly process: StartedProcess;
  readonly before: Awaited<ReturnType<typeof listedAs>>;
  /** Its main thread goes on. */
  release(): Promise<void>;
}

/** Registered, and its main thread does nothing any more but look for a file, again and again. */
async function startBlocked(registry: TestRegistry, options = ''): Promise<Blocked> {
  const folder = await temporaryFolder();
  const file = JSON.stringify(`${folder.path}/go-on`);
  const process = await runScript(
    `import { existsSync, writeSync } from 'node:fs';
    ${alive} await client.register(${leased(options)});
    process.once('SIGUSR2', () => { writeSync(1, 'blocked\\n'); while (!existsSync(${file})); console.log('goes on'); });
    console.log('registered');`,
    registry,
  );
  await process.printed(/^registered$/m);
  const before = await listedAs(registry);
  process.kill('SIGUSR2');
  await process.printed(/^blocked$/m);
  const release = () => writeFile(`${folder.path}/go-on`, '');
  return {
    process,
    before,
    release,
    async [Symbol.asyncDispose]() {
      await release();
      await process[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

// Story: a service that worked for two leases without a pause was taken for dead, and its work for nobody.
test('an event loop that is busy for longer than the lease stays listed, and says that it is busy', async () => {
  await using registry = await startRegistry();
  await using busy = await startBlocked(registry);
  const revision = await revisionOf(registry);
  const during = await eventually(
    () => listedAs(registry),
    (now) =>
      Number(now?.leaseUntil) > Number(busy.before?.leaseUntil) + 1_500 &&
      Number(now?.load?.loopDelayMs) > 1_000,
  );
  expect(await revisionOf(registry)).toBe(revision);
  expect(during?.load?.loopUtilization).toBeGreaterThan(0.5);

  await busy.release();
  await busy.process.printed(/^goes on$/m);
  await eventually(
    () => listedAs(registry),
    (now) => Number(now?.load?.loopDelayMs) < 1_000,
  );
  expect(await revisionOf(registry)).toBe(revision);
  busy.process.kill('SIGTERM');
  expect(await busy.process.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(busy.process.stderr()).toBe('');
  expect(await registry.listed('ends')).toEqual([]);
});

test('one that has not turned for its limit is unlisted, and once it turns listed again, the same run', async () => {
  await using registry = await startRegistry();
  await using stalled = await startBlocked(registry, 'stallMs: 600');
  await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 0,
  );
  await stalled.release();
  const again = await eventually(
    () => listedAs(registry),
    (now) => now !== undefined,
  );
  expect(again).toMatchObject({ runId: stalled.before?.runId, generation: stalled.before?.generation });
  await stalled.process.printed(/has not turned for 600 ms.*\n.*: registered$/m);
});

test('one that stood still while a newer run took its place stops for good', async () => {
  await using registry = await startRegistry();
  await using stalled = await startBlocked(registry, 'stallMs: 600');
  await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 0,
  );
  await using successor = await runScript(holds, registry);
  await successor.printed(/^registered$/m);
  await stalled.release();
  await stalled.process.printed(/generation_superseded/);
  const [after, ...others] = await registry.listed('ends');
  expect(others).toEqual([]);
  expect(after?.runId).not.toBe(stalled.before?.runId);
});

test('one thread keeps three registrations, and keeps no process alive', async () => {
  await using registry = await startRegistry();
  const one = (id: number) =>
    `client.register({ ...${leased()}, instanceId: 'i${id}', endpoints: [{ type: 'http', url: 'http://127.0.0.1:${id}' }] })`;
  await using script = await runScript(
    `let threads = 0; process.on('worker', () => { threads += 1; });
    await Promise.all([${one(1)}, ${one(2)}, ${one(3)}]);
    console.log('registered');
    process.once('exit', () => console.log(\`\${threads} threads\`));
    const held = setInterval(() => {}, 1_000);
    process.once('SIGUSR2', () => clearInterval(held));`,
    registry,
  );
  await script.printed(/^registered$/m);
  const first = await registry.listed('ends');
  const renewed = await eventually(
    () => registry.listed('ends'),
    (all) => all.every(({ leaseUntil }, at) => Number(leaseUntil) > Number(first[at]?.leaseUntil)),
  );
  expect(renewed).toHaveLength(3);
  script.kill('SIGUSR2');
  expect(await script.ended).toEqual({ code: 0, signal: null });
  expect(script.stdout()).toMatch(/^1 threads$/m);
  expect(await registry.listed('ends')).toEqual([]);
});

test('where the thread is gone, the main thread renews', async () => {
  await using registry = await startRegistry();
  await using script = await runScript(
    `process.on('worker', (worker) => process.once('SIGUSR2', () => {
      void worker.terminate().then(() => console.log('terminated'));
    })); ${holds}`,
    registry,
  );
  await script.printed(/^registered$/m);
  script.kill('SIGUSR2');
  await script.printed(/^terminated$/m);
  const before = await listedAs(registry);
  await eventually(
    () => listedAs(registry),
    (now) => Number(now?.leaseUntil) > Number(before?.leaseUntil) + 1_000,
  );
  script.kill('SIGTERM');
  expect(await script.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(script.stderr()).toBe('');
  expect(await registry.listed('ends')).toEqual([]);
});

test('where no thread may start, the main thread renews, and that is said once', async () => {
  await using registry = await startRegistry();
  // Its name until Node 23.5, and since.
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const other = `{ ...${service}, instanceId: 'other', endpoints: [{ type: 'http', url: 'http://127.0.0.1:10' }] }`;
  await using script = await runScript(`${holds} await client.register(${other});`, registry, [
    '--no-warnings',
    permission,
    '--allow-fs-read=*',
  ]);
  await script.printed(/^registered$/m);
  const before = await listedAs(registry);
  await eventually(
    () => listedAs(registry),
    (now) => Number(now?.leaseUntil) > Number(before?.leaseUntil) + 1_000,
  );
  await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 2,
  );
  script.kill('SIGTERM');
  expect(await script.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(script.stderr()).toMatch(/^reg: ends .*no thread may start here.*\n$/);
  expect(await registry.listed('ends')).toEqual([]);
});

test.skipIf(skipWithout('openssl', spawnSync('openssl', ['version']).status === 0))(
  'a certificate that the process is told not to check is not checked by the thread either',
  async () => {
    await using folder = await temporaryFolder();
    const [key, cert] = [`${folder.path}/key.pem`, `${folder.path}/cert.pem`];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=reg'];
    await run(['openssl', 'req', '-x509', ...kind, '-keyout', key, '-out', cert]);
    await using registry = await startRegistry();
    await using proxy = await startProxy(registry.url, {
      key: await readFile(key, 'utf8'),
      cert: await readFile(cert, 'utf8'),
    });
    await using script = await runScript(holds, proxy, ['--no-warnings'], {
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    });
    await script.printed(/^registered$/m);
    const before = await listedAs(registry);
    await eventually(
      () => listedAs(registry),
      (now) => Number(now?.leaseUntil) > Number(before?.leaseUntil) + 1_000,
    );
    script.kill('SIGTERM');
    await script.ended;
    expect(script.stderr()).toBe('');
  },
);

// Story: a process woke up from a long pause and renewed what was no longer its own.
test('paused past its lease, a process cannot push out its successor', async () => {
  await using registry = await startRegistry();
  await using paused = await runScript(holds, registry);
  await paused.printed(/^registered$/m);
  paused.kill('SIGSTOP');
  await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 0,
  );
  await using successor = await runScript(holds, registry);
  await successor.printed(/^registered$/m);
  const [before] = await registry.listed('ends');
  paused.kill('SIGCONT');
  await paused.printed(/generation_superseded/);
  paused.kill('SIGTERM');
  expect(await paused.ended).toEqual({ code: null, signal: 'SIGTERM' });
  const registered = ({ leaseUntil: _, load: __, ...said }: ListedInstance) => said;
  expect((await registry.listed('ends')).map(registered)).toEqual(before && [registered(before)]);
});

test('paused past its lease and nobody came: it is listed again, the same run', async () => {
  await using registry = await startRegistry();
  await using paused = await runScript(holds, registry);
  const [before] = await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 1,
  );
  paused.kill('SIGSTOP');
  await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 0,
  );
  paused.kill('SIGCONT');
  const [after] = await eventually(
    () => registry.listed('ends'),
    (all) => all.length === 1,
  );
  expect(after).toMatchObject({ runId: before?.runId, generation: before?.generation });
});
