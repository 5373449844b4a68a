import { open, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { createLogLines } from './log-lines.ts';

test('lines come in their order: while it runs, and the last of them with the close', async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log`;
  await using file = await open(path, 'w');
  const log = createLogLines('json', file.fd);
  const written = async () => (await readFile(path, 'utf8')).split('\n').slice(0, -1);

  log.add('one');
  log.add('two');
  await eventually(written, (lines) => lines.length === 2);
  log.add('three');
  await eventually(written, (lines) => lines.length === 3);
  log.add('four');
  await log.close();

  expect(await written()).toEqual(['one', 'two', 'three', 'four']);
});
