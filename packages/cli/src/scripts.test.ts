// `reg register` and `reg unregister` in shell scripts and units: they wait, ask again, take back, and are quiet.
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { freePort } from '../../../tests/support/free-port.ts';
import { startProcess } from '../../../tests/support/process.ts';
import { startSlowProxy } from '../../../tests/support/slow-proxy.ts';
import { startHttpServer } from './http-server.fixture.ts';
import { freshService, openRegistry, registerArgs, useRegistry } from './reg.fixture.ts';

const registry = useRegistry();
const { start, reg, instancesOf } = registry;

test('--wait-for a URL: a status of 400 or more is no answer; quiet says nothing', async () => {
  let status = 503;
  let asked = 0;
  await using health = await startHttpServer((_, response) => {
    asked += 1;
    response.writeHead(status).end();
  });
  const service = freshService();
  const target = `${health.url}/health`;
  await using waiting = await start(registerArgs(service, '--wait-for', target, '--quiet'));
  await eventually(
    () => asked,
    (times) => times >= 3,
  );
  expect(await instancesOf(service.name)).toEqual([]);
  status = 204;
  expect(await waiting.ended).toMatchObject({ code: 0 });
  expect(waiting.stdout() + waiting.stderr()).toBe('');
  expect(await instancesOf(service.name)).toHaveLength(1);
  expect(await reg(['unregister', service.name, '--quiet'])).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('--wait-for an address, in vain: exit 4 at the limit, or as soon as the process that should answer is gone', async () => {
  const service = freshService();
  const address = `127.0.0.1:${await freePort()}`;
  expect(await reg(registerArgs(service, '--wait-for', address, '--wait-for-limit', '300ms'))).toMatchObject({
    code: 4,
    stdout: '',
    stderr: expect.stringMatching(/^not_ready: nothing good at 127.* for 0.3 s: ECONNREFUSED\n$/),
  });
  await using brief = await startProcess('node', ['-e', '']);
  await brief.ended;
  const withPid = ['--wait-for', address, '--pid', String(brief.pid), '--wait-for-limit', '1h'];
  expect(await reg(registerArgs(service, ...withPid))).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^not_ready: process \d+ ended before anything answered at 127/),
  });
  expect(await instancesOf(service.name)).toEqual([]);
});

test.each(['nonsense', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', 'ftp://x/', ':1'])(
  '--wait-for %s is wrong usage',
  async (target) => {
    expect(await reg(registerArgs(freshService(), '--wait-for', target))).toMatchObject({ code: 2 });
  },
);

// Story: at a reboot the registry may come later than who registers, and an unregister that finds nobody was lost.
test('--retry: a registry that is away is asked again until it is there', async () => {
  const port = await freePort();
  const away = { REG_REGISTRY: `http://127.0.0.1:${port}` };
  const service = freshService();
  await using registering = await start(registerArgs(service, '--retry', '1h', '--run-id', 'r1'), away);
  await using unregistering = await start(['unregister', 'gone', '--retry', '1h'], away);
  await registering.printed(/^no registry answers .*; trying again for 3600 s$/m);
  await unregistering.printed(/trying again/);
  const late = await openRegistry(port);
  expect(await registering.ended).toEqual({ code: 0, signal: null });
  expect(await unregistering.ended).toEqual({ code: 0, signal: null });
  expect(registering.stdout()).toMatch(/^registered /);
  await late.close();
  expect((await reg(['unregister', service.name, '--retry', '10ms'], away)).code).toBe(3);
});

// Story: a unit that was stopped while it registered was listed afterwards, for ever: the request was on its way.
test('ended while it asks, it takes back what it asked for', async () => {
  await using slow = await startSlowProxy(registry.url, () => 700);
  const service = freshService();
  await using registering = await start(registerArgs(service, '--run-id', 'r1'), { REG_REGISTRY: slow.url });
  await eventually(slow.open, (open) => open > 0);
  registering.kill('SIGTERM');
  expect(await registering.ended).toEqual({ code: 143, signal: null });
  expect(registering.stderr()).toBe('ended by SIGTERM\n');
  await eventually(slow.open, (open) => open === 0);
  expect(await instancesOf(service.name)).toEqual([]);
});

test('ended while it waits, it ends at once and asks nothing', async () => {
  const service = freshService();
  const address = `127.0.0.1:${await freePort()}`;
  await using waiting = await start(registerArgs(service, '--wait-for', address, '--wait-for-limit', '1h'));
  await eventually(async () => {
    waiting.kill('SIGINT'); // until it listens for it: node's own answer to it is the same but for the code
    return (await Promise.race([waiting.ended, undefined])) !== undefined;
  });
  expect(await instancesOf(service.name)).toEqual([]);
});

test('an unregister says why, in whatever words: one line that the history takes', async () => {
  const service = freshService();
  await reg(registerArgs(service, '--run-id', 'r1'));
  await using watching = await start(['watch', '--json']);
  await watching.printed(/^watching/m);
  const reason = `  systemd: signal \n killed\tKILL ${'x'.repeat(300)}`;
  expect((await reg(['unregister', service.name, '--run-id', 'r1', '--reason', reason])).code).toBe(0);
  const [, told = ''] = await watching.printed(/"instance-unregistered".*"reason":"([^"]*)"/);
  expect(told).toMatch(/^systemd: signal killed KILL x+$/);
});

test('drained by its run, without its id; a run that is not listed is named', async () => {
  const service = freshService();
  await reg(registerArgs(service, '--run-id', 'r1'));
  expect((await reg(['drain', service.name, '--run-id', 'r1', '--quiet'])).stdout).toBe('');
  expect(await instancesOf(service.name)).toMatchObject([{ state: 'draining' }]);
  expect(await reg(['drain', service.name, '--run-id', 'r2'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^instance_not_found: .* of the run r2\n$/),
  });
});

test('--this-boot says machine and boot, beside what --meta says', async () => {
  const service = freshService();
  expect(
    (await reg(registerArgs(service, '--this-boot', '--meta', 'k=v', '--owner', 'systemd:x'))).code,
  ).toBe(0);
  const machine = expect.stringMatching(/^[0-9a-f]{32}$/);
  const boot = expect.stringMatching(/^[0-9a-f-]{36}$/);
  const metadata = existsSync('/etc/machine-id') ? { k: 'v', machine, boot } : { k: 'v' };
  expect(await instancesOf(service.name)).toMatchObject([{ metadata }]);
});
