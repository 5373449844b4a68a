// What is written must be what systemd reads: its own checker is asked.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { skipWithout } from '../../../../tests/support/part.ts';
import { run } from '../../../../tests/support/run.ts';
import { hasSystemd } from '../../../../tests/support/systemd.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { dropIn, type RunUnit, serviceUnit } from './service-unit.ts';

const unit: RunUnit = {
  name: 'Tickets 100% "q"; $HOME \\',
  slug: 'tickets',
  reg: ['/usr/bin/env', 'reg'],
  scope: 'system',
  template: false,
  host: '127.0.0.1',
  port: 3001,
  url: '/tickets%20query',
  endpoint: 'http://{host}:{port}/tickets%20query',
  health: undefined,
  flags: ['--roles', 'a role,b', '--tag', '5% $x'],
  registry: 'http://127.0.0.1:3100',
  command: ['/usr/bin/env', 'node', '/srv/a b/server.js', '--port={port}', '100%', '$HOME', ';'],
  directory: '/srv/a b',
  runAs: undefined,
  environment: [['PRICE', '5% $x "q"']],
};

const kinds: readonly [string, RunUnit][] = [
  ['tickets.service', unit],
  ['tickets.service', { ...unit, scope: 'user' }],
  ['tickets@.service', { ...unit, template: true, port: undefined }],
  ['tickets.service', { ...unit, host: '::1', port: 80, runAs: 'daemon', directory: undefined }],
];

test.skipIf(skipWithout('systemd-analyze', hasSystemd)).each(kinds)(
  'systemd-analyze verify has nothing to say of %s',
  async (name, settings) => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, name);
    await writeFile(file, serviceUnit(settings));
    expect(await run(['systemd-analyze', 'verify', file])).toEqual({ stdout: '', stderr: '' });
    await writeFile(file, `[Service]\nExecStart=/bin/true\n${dropIn(settings)}`);
    expect(await run(['systemd-analyze', 'verify', file])).toEqual({ stdout: '', stderr: '' });
  },
);

test.skipIf(skipWithout('systemd-analyze', hasSystemd))('nor of the units that are shipped', async () => {
  const folder = fileURLToPath(new URL('../../../../deploy/systemd', import.meta.url));
  const units = (await readdir(folder)).filter((name) => /\.(service|socket)$/.test(name));
  expect(units.length).toBeGreaterThan(4);
  const verified = run(['systemd-analyze', 'verify', ...units.map((name) => join(folder, name))]);
  expect(await verified).toEqual({ stdout: '', stderr: '' });
});

test('an IPv6 address stands in brackets in URLs, and bare where the program reads it', () => {
  const text = serviceUnit({ ...unit, host: '::1' });
  expect(text).toContain('Environment=HOST=::1\n');
  expect(text).toMatch(/--endpoint http:\/\/\[::1\]:\$\{PORT\}\/tickets%%20query /);
  expect(text).toMatch(/--wait-for \[::1\]:\$\{PORT\} /);
});

test('a drop-in changes nothing of how the service runs: it adds commands, and takes one variable away', () => {
  const settings = dropIn(unit)
    .replaceAll('\\\n', '')
    .split('\n')
    .flatMap((line) => /^([A-Za-z]+)=/.exec(line)?.[1] ?? []);
  expect(settings).toEqual([
    ...['Service', 'EnvironmentFile', 'UnsetEnvironment', 'ExecStartPost', 'ExecStop', 'ExecStopPost'],
  ]);
});

test('each command of ours may fail without a consequence', () => {
  const commands = serviceUnit(unit).match(/^Exec(StartPost|Stop|StopPost)=./gm);
  expect(commands).toEqual(['ExecStartPost=-', 'ExecStop=-', 'ExecStopPost=-']);
});

test('files in a home can be read there, and nothing else can', () => {
  const home = { ...unit, command: ['/home/ada/bin/node'], directory: undefined };
  expect(serviceUnit(home)).toContain('ProtectHome=read-only');
  expect(serviceUnit(unit)).toContain('ProtectHome=yes');
});
