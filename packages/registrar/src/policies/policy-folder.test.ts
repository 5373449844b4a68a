import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { followPolicyFolder, type Policies } from './policy-folder.ts';

const text = (version: string) =>
  `url: /tickets\nauthorizedRoles: []\nendpoints: [{ url: 'http://127.0.0.1:3001/' }]\nversion: '${version}'\n`;

async function follow(path: string) {
  let last: Policies | undefined;
  const troubles: (string | undefined)[] = [];
  const following = followPolicyFolder(
    path,
    (next) => {
      last = next;
    },
    (trouble) => troubles.push(trouble),
  );
  return {
    version: (service = 'tickets') => last?.policies.get(service)?.file.version,
    policies: () => last,
    troubles,
    [Symbol.dispose]: () => following.close(),
  };
}

test('a file is read when it comes, anew when it changes, and is gone when it goes', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'tickets.yaml');
  await writeFile(file, text('1'));
  using seen = await follow(folder.path);
  await eventually(() => seen.version() === '1');

  await writeFile(file, text('2'));
  await eventually(() => seen.version() === '2');
  await writeFile(join(folder.path, '.tickets.yaml.new'), text('3')); // as editors do
  await rename(join(folder.path, '.tickets.yaml.new'), file);
  await eventually(() => seen.version() === '3');
  await rm(file);
  await eventually(() => seen.policies()?.policies.size === 0);
});

test('a broken file stays in force as it was, another one is not touched', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'tickets.yaml'), text('1'));
  using seen = await follow(folder.path);
  await eventually(() => seen.version() === '1');
  await writeFile(join(folder.path, 'tickets.yaml'), 'url: /tickets\n  broken');
  await writeFile(join(folder.path, 'other.json'), JSON.stringify({ checking: { failures: 2 } }));
  await eventually(() => seen.policies()?.broken.length === 1 && seen.policies()?.policies.size === 2);
  expect(seen.version()).toBe('1');
  expect(seen.policies()?.broken).toMatchObject([{ file: 'tickets.yaml', hasLastGood: true }]);

  await writeFile(join(folder.path, 'tickets.yaml'), text('2'));
  await eventually(() => seen.version() === '2');
  expect(seen.policies()?.broken).toEqual([]);
});

test('two files of one service: the first by name counts', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'a.yaml'), `name: tickets\n${text('a')}`);
  await writeFile(join(folder.path, 'b.yaml'), `name: tickets\n${text('b')}`);
  using seen = await follow(folder.path);
  await eventually(() => seen.version() === 'a');
  expect(seen.policies()?.broken).toMatchObject([
    { file: 'b.yaml', faults: [{ message: 'is of tickets, as a.yaml is, which counts' }] },
  ]);
});

test('a folder that is not there yet is said, and read when it comes', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'later');
  using seen = await follow(path);
  await eventually(() => seen.troubles.some((trouble) => trouble?.includes('ENOENT')));
  await mkdir(path);
  await writeFile(join(path, 'tickets.yaml'), text('1'));
  await eventually(() => seen.version() === '1');
});
