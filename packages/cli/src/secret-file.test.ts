import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureSecret, readSecret } from './secret-file.ts';

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'reg-cli-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test('the secret has 32 bytes, in a file that only its owner reads, in a folder that only its owner enters', async () => {
  await using folder = await temporaryFolder();
  const data = join(folder.path, 'state/reg');
  expect(await readSecret(data)).toBeUndefined();
  const { path, secret, made } = await ensureSecret(data);
  expect(made).toBe(true);
  expect(Buffer.from(secret.replace('base64:', ''), 'base64')).toHaveLength(32);
  expect(await readFile(path, 'utf8')).toBe(`${secret}\n`);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(data)).mode & 0o777).toBe(0o700);
  expect(await readSecret(data)).toEqual({ path, secret, made: false });
  expect(await ensureSecret(data)).toEqual({ path, secret, made: false });
});

test('of many that make it at once one wins, all have the same, and no draft is left', async () => {
  await using folder = await temporaryFolder();
  const all = await Promise.all(Array.from({ length: 50 }, () => ensureSecret(folder.path)));
  expect(new Set(all.map(({ secret }) => secret)).size).toBe(1);
  expect(all.filter(({ made }) => made)).toHaveLength(1);
  expect(await readdir(folder.path)).toEqual(['jwt-secret']);
});
