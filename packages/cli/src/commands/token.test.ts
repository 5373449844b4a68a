import { join } from 'node:path';
import { expect, test } from 'vitest';
import { operatorToken } from '../../../../tests/support/registry-token.ts';
import { useRegistry } from '../reg.fixture.ts';

const { folder, reg, regJson } = useRegistry();

test('the roles go into the claim that up reads; scope is words', async () => {
  const env = { REG_JWT_SECRET: 'a secret of 32 bytes or more, for this test' };
  const claims = async (...flags: string[]) => {
    const { token } = await regJson(['token', '--sub', 'ada', '--ttl', '90s', ...flags], env);
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  };
  const plain = await claims('--roles', 'a,b');
  expect(plain).toMatchObject({ sub: 'ada', aud: 'reg', iss: 'reg', roles: ['a', 'b'] });
  expect(plain.exp - plain.iat).toBe(90);
  expect(await claims('--roles', 'a,b', '--jwt-roles-claim', 'scope')).toMatchObject({ scope: 'a b' });
  const named = await claims(
    '--roles',
    'a',
    '--jwt-roles-claim',
    'https://x.example/roles',
    '--jwt-audience',
    'q',
  );
  expect(named).toMatchObject({ 'https://x.example/roles': ['a'], aud: 'q' });
  expect(await reg(['token', '--sub', 'ada', '--data', join(folder.path, 'none')])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: no JWT secret in .*\n$/),
  });
});

test('a token for the registry names its services, itself and its end; --json shows its id', async () => {
  const env = { REG_REGISTRY_TOKEN: operatorToken };
  const args = ['token', '--for', 'registry', '--services', 'tickets, billing-*'];
  const { token, jti } = await regJson([...args, '--sub', 'deploy', '--ttl', '90s'], env);
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  expect(claims).toMatchObject({
    aud: 'reg-registry',
    jti,
    sub: 'deploy',
    services: ['tickets', 'billing-*'],
  });
  expect(claims.exp - claims.iat).toBe(90);
  expect(claims).not.toHaveProperty('iss');
  const { stdout } = await reg([...args, '--read-only'], env);
  const plain = JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString());
  expect(plain).toMatchObject({
    readOnly: true,
    services: ['tickets', 'billing-*'],
    jti: expect.any(String),
  });
  expect(plain).not.toHaveProperty('sub');
  expect(plain.jti).not.toBe(jti);
});
