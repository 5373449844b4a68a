// `reg run`, as a user runs it: real processes of the built program against a real registry.
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { freePort } from '../../../../tests/support/free-port.ts';
import type { StartedProcess } from '../../../../tests/support/process.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { type FreshService, freshService, startReg, useRegistry } from '../reg.fixture.ts';

const registry = useRegistry();
const { instancesOf } = registry;

/** Listens at HOST and PORT, says what it was given and what it is told, and ends on SIGTERM with 0. */
const program = `
const { HOST, PORT, SELF_REGISTRY = 'unset' } = process.env;
require('node:http').createServer((_, response) => response.end()).listen(Number(PORT), HOST);
console.log('pid', process.pid, 'port', PORT, 'argument', process.argv[1], 'self', SELF_REGISTRY);
for (const signal of ['SIGHUP', 'SIGUSR2']) process.on(signal, () => console.log(signal));
process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(0); });
`;

function startRun(
  { name, path }: Pick<FreshService, 'name' | 'path'>,
  flags: readonly string[],
  command: readonly string[],
  to = registry.url,
) {
  const args = ['run', '--name', name, '--url', path, '--registry', to, ...flags, '--', ...command];
  return startReg(args, { SELF_REGISTRY: '1' });
}

const listed = (name: string) =>
  eventually(
    () => instancesOf(name),
    (all) => all.length === 1,
  );

const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);

const childOf = async (running: StartedProcess) => Number((await running.printed(/^pid (\d+)/m))[1]);

test('listed once it answers, with a lease, on a port of its own; stopped, it is unlisted and ends as the program', async () => {
  const service = freshService();
  await using running = await startRun(service, [], [process.execPath, '-e', program, '{port}']);
  const [, port, argument, self] = await running.printed(/port (\d+) argument (\d+) self (\S+)/);
  expect([argument, self]).toEqual([port, 'unset']);
  expect(await listed(service.name)).toMatchObject([
    {
      ...{ instanceId: `127.0.0.1-${port}`, lease: { ttlMs: 10_000 } },
      owner: expect.stringMatching(new RegExp(`^run:.+:${running.pid}$`)),
    },
  ]);
  running.kill('SIGHUP');
  await running.printed(/^SIGHUP$/m);
  running.kill('SIGUSR2');
  await running.printed(/^SIGUSR2$/m);
  expect(await instancesOf(service.name)).toHaveLength(1); // a reload is no end

  running.kill('SIGTERM');
  expect(await running.ended).toEqual({ code: 0, signal: null });
  expect(running.stdout()).toMatch(/^SIGTERM$/m);
  expect(await instancesOf(service.name)).toEqual([]);
});

test('whatever ends the program, it is unlisted at once and reg ends the same way', async () => {
  const killed = freshService();
  await using running = await startRun(killed, [], [process.execPath, '-e', program]);
  await listed(killed.name);
  process.kill(await childOf(running), 'SIGKILL');
  expect(await running.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await instancesOf(killed.name)).toEqual([]);

  // It does nothing about the signal: so its end is that signal, and ours too.
  await using plain = await startRun(freshService(), [], ['sleep', '1000']);
  await eventually(() => plain.stderr() === '' && childrenOf(plain.pid).length === 1);
  plain.kill('SIGTERM');
  expect(await plain.ended).toEqual({ code: null, signal: 'SIGTERM' });

  await using failing = await startRun(freshService(), [], [process.execPath, '-e', 'process.exit(7)']);
  expect(await failing.ended).toEqual({ code: 7, signal: null });
});

test('a program that is not there is exit 127, one that may not be run 126', async () => {
  await using missing = await startRun(freshService(), [], ['/no/such/program']);
  expect(await missing.ended).toMatchObject({ code: 127 });
  expect(missing.stderr()).toMatch(/^error: .*ENOENT/m);
  await using folder = await temporaryFolder();
  const plain = join(folder.path, 'plain');
  await writeFile(plain, 'text');
  await using refused = await startRun(freshService(), [], [plain]);
  expect(await refused.ended).toMatchObject({ code: 126 });
});

test('a program that listens late is not listed before; a health check that fails is no answer', async () => {
  await using folder = await temporaryFolder();
  const well = join(folder.path, 'well');
  const service = freshService();
  const sick = `
    const { existsSync } = require('node:fs');
    require('node:http').createServer(({ url }, response) => {
      console.log('asked', url);
      response.writeHead(existsSync(${JSON.stringify(well)}) ? 200 : 503).end();
    }).listen(Number(process.env.PORT), '127.0.0.1');`;
  await using running = await startRun(service, ['--health', '/health'], [process.execPath, '-e', sick]);
  await eventually(
    () => running.stdout().match(/^asked \/health$/gm)?.length ?? 0,
    (asked) => asked >= 3,
  );
  expect(await instancesOf(service.name)).toEqual([]);
  await writeFile(well, '');
  await listed(service.name);
});

test('--restart on-failure: a new run after each failure, none after a good end', async () => {
  await using folder = await temporaryFolder();
  const rounds = join(folder.path, 'rounds');
  const service = freshService();
  const port = String(await freePort());
  const thrice = `
    require('node:fs').appendFileSync(${JSON.stringify(rounds)}, 'x');
    const round = require('node:fs').readFileSync(${JSON.stringify(rounds)}, 'utf8').length;
    require('node:http').createServer((_, response) => {
      response.end();
      response.on('close', () => process.exit(round === 1 ? 1 : 0));
    }).listen(Number(process.env.PORT), '127.0.0.1');`;
  const flags = ['--restart', 'on-failure', '--port', port];
  await using running = await startRun(service, flags, [process.execPath, '-e', thrice]);
  const [first] = await listed(service.name);
  await fetch(`http://127.0.0.1:${port}`);
  const [second] = await eventually(
    () => instancesOf(service.name),
    ([one]) => one !== undefined && one.runId !== first?.runId,
  );
  expect(second?.instanceId).toBe(first?.instanceId);
  await fetch(`http://127.0.0.1:${port}`);
  expect(await running.ended).toEqual({ code: 0, signal: null });
  expect(await readFile(rounds, 'utf8')).toBe('xx');
  expect(running.stderr()).toMatch(/ended \(1\); started again in 1 s$/m);
});

test('a registry that is away, or says no, keeps no program from running', async () => {
  const away = `http://127.0.0.1:${await freePort()}`;
  await using alone = await startRun(freshService(), [], [process.execPath, '-e', program], away);
  await alone.printed(/trying again/);
  alone.kill('SIGTERM');
  expect(await alone.ended).toEqual({ code: 0, signal: null });

  await using refused = await startRun(
    { name: '..x', path: '/_reg/x' },
    [],
    [process.execPath, '-e', program],
  );
  await refused.printed(/^not listed: path_reserved: /m);
  process.kill(await childOf(refused), 'SIGTERM');
  expect(await refused.ended).toEqual({ code: 0, signal: null });
});
