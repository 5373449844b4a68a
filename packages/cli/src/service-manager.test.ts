import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { createServiceManager, watchdogMs } from './service-manager.ts';

const { PATH } = process.env;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const told = () => readFile(join(folder.path, 'told'), 'utf8').catch(() => '');

/** The program as it is called; what systemd makes of it is in tests/scenarios/systemd-up.test.ts. */
beforeEach(async () => {
  folder = await temporaryFolder();
  const program = join(folder.path, 'systemd-notify');
  await writeFile(program, `#!/bin/sh\necho "$@" >> ${folder.path}/told\n`);
  await chmod(program, 0o755);
  process.env.PATH = `${folder.path}:${PATH}`;
});
afterEach(async () => {
  process.env.PATH = PATH;
  await folder[Symbol.asyncDispose]();
});

test('ready, then a sign of life for as long as it lives, then stopping', async () => {
  let live = true;
  let asked = 0;
  const log: string[] = [];
  const environment = { NOTIFY_SOCKET: '/somewhere', WATCHDOG_USEC: '40000' };
  const manager = createServiceManager({
    ...{ environment, pid: 1 },
    isLive: () => {
      asked += 1;
      return live;
    },
    log: (line) => log.push(line),
  });
  await manager.ready();
  expect(await told()).toMatch(/^--ready\n/);
  const signs = async () => (await told()).match(/^WATCHDOG=1$/gm)?.length ?? 0;
  await eventually(signs, (count) => count >= 3);
  live = false;
  // It is asked again only when no sign is under way: from then on none is given.
  const askedMore = (times: number) =>
    eventually(
      () => asked,
      (now) => now >= asked0 + times,
    );
  const asked0 = asked;
  await askedMore(1);
  const last = await signs();
  await askedMore(4);
  expect(await signs()).toBe(last);
  await manager.stopping();
  expect(await told()).toMatch(/\nSTOPPING=1\n$/);
  expect(log).toEqual([]);
});

test('nobody asked: nothing is started; a program that is missing is a line of the log', async () => {
  const log: string[] = [];
  const options = { pid: 1, isLive: () => true, log: (line: string) => void log.push(line) };
  const alone = createServiceManager({ ...options, environment: {} });
  await alone.ready();
  await alone.stopping();
  expect(await told()).toBe('');

  process.env.PATH = '/nowhere';
  const manager = createServiceManager({ ...options, environment: { NOTIFY_SOCKET: '/somewhere' } });
  await manager.ready();
  expect(log).toEqual(['systemd-notify --ready: ENOENT']);
});

test.each([
  [{ WATCHDOG_USEC: '30000000' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined],
  [{ WATCHDOG_USEC: '0' }, undefined],
  [{ WATCHDOG_USEC: 'x' }, undefined],
  [{}, undefined],
])('%j means a sign within %s ms', (environment, ms) => {
  expect(watchdogMs(environment, 7)).toBe(ms);
});
