import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { operatorToken } from '../../../tests/support/registry-token.ts';
import { useRegistry } from './reg.fixture.ts';

const { folder, start, reg, regJson } = useRegistry();

test('a list of revoked ids is read again when it changes; one that is gone keeps what it said last', async () => {
  const revoked = join(folder.path, 'revoked');
  await writeFile(revoked, 'other\n');
  const env = { REG_REGISTRY_TOKEN: operatorToken };
  const flags = ['--registry-only', '--registry-port', '0', '--revoked', revoked];
  await using up = await start(['up', ...flags, '--json', '--log', 'pretty'], env);
  const [line] = await up.printed(/^\{"registry".*\}$/m);
  const { registry: url } = JSON.parse(line);
  const { token, jti } = await regJson(['token', '--for', 'registry', '--read-only'], env);
  const status = async () =>
    (await fetch(`${url}/v1/services`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await status()).toBe(200);
  await writeFile(`${revoked}.new`, ` other \n\n${jti}\n`);
  await rename(`${revoked}.new`, revoked);
  await eventually(status, (now) => now === 401);

  await rm(revoked);
  await up.printed(/--revoked .* cannot be read, what it said last stays: ENOENT.*$/m);
  expect(await status()).toBe(401);
  await writeFile(revoked, '');
  await up.printed(/--revoked .* is read again$/m);
  expect(await status()).toBe(200);
  expect(up.stderr()).not.toContain(token);

  const missing = await reg(['up', ...flags.slice(0, -1), join(folder.path, 'no such file')], env);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: .*no such file.*\n$/) });
});
