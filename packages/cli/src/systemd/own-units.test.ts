import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { ownUnits, removeUnit, unitPath, writeUnit } from './own-units.ts';

const textOf = (service: string, rest = 'ExecStart=/bin/true') =>
  `# written\n\n[X-Reg]\nService=${JSON.stringify(service)}\n\n[Service]\n${rest}\n`;

test('what we wrote is written anew; what was changed by hand, is another service’s or not ours is not', async () => {
  await using folder = await temporaryFolder();
  const path = unitPath(folder.path, 'tickets.service', false);
  await writeUnit(path, textOf('tickets'), false);
  await writeUnit(path, textOf('tickets', 'ExecStart=/bin/false'), false);
  const written = await readFile(path, 'utf8');
  expect(written).toMatch(/\nWritten=[0-9a-f]{16}\n/);
  expect(written).toContain('ExecStart=/bin/false');

  await expect(writeUnit(path, textOf('Tickets'), false)).rejects.toThrow(/is of tickets; --force/);
  await writeFile(path, `${written}Nice=5\n`);
  await expect(writeUnit(path, textOf('tickets'), false)).rejects.toThrow(/was changed by hand; --force/);
  await writeFile(path, '[Service]\nExecStart=/bin/true\n');
  await expect(writeUnit(path, textOf('tickets'), false)).rejects.toThrow(/is there and not ours; --force/);
  await writeUnit(path, textOf('tickets'), true);
  expect(await readdir(folder.path)).toEqual(['tickets.service']);
});

test('ours are found among others, drop-ins too, and only ours are removed', async () => {
  await using folder = await temporaryFolder();
  await writeUnit(unitPath(folder.path, 'a@.service', false), textOf('A "q" 日本'), false);
  await writeUnit(unitPath(folder.path, 'b.service', true), textOf('b'), false);
  await writeFile(join(folder.path, 'b.service.d', 'theirs.conf'), '[Service]\n');
  await writeFile(join(folder.path, 'c.service'), '[X-Reg]\nService="broken\n');
  await writeFile(join(folder.path, 'd.timer'), textOf('d'));
  await mkdir(join(folder.path, 'e.service'));
  const found = await ownUnits(folder.path);
  expect(found).toMatchObject([
    { service: 'A "q" 日本', unit: 'a@.service', dropIn: false },
    { service: 'b', unit: 'b.service', dropIn: true },
  ]);
  for (const unit of found) await removeUnit(unit);
  expect(await ownUnits(folder.path)).toEqual([]);
  expect(await readdir(join(folder.path, 'b.service.d'))).toEqual(['theirs.conf']);
  expect(await ownUnits(join(folder.path, 'nowhere'))).toEqual([]);
});
