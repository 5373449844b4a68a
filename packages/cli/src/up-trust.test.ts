// Whom `reg up` trusts: an issuer's keys, networks, proxies. Real processes of the built program.
import { generateKeyPairSync } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startUp } from '../../../tests/support/stack.ts';
import { useTemporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { startHttpServer } from './http-server.fixture.ts';
import { runReg } from './reg.fixture.ts';

const folder = useTemporaryFolder();

const startBoth = (data: string, ...flags: string[]) =>
  startUp(['--gateway-port', '0', '--registry-port', '0', ...flags], data);

const register = (registry: string | undefined, ...more: string[]) =>
  runReg(['register', 'a', '--url', '/a', ...more, '--registry', registry ?? '']);

test('--jwt-jwks: no secret is made, the issuer may come later, and its tokens count', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let isThere = false;
  await using issuer = await startHttpServer((_request, response) => {
    if (!isThere) response.writeHead(500).end();
    else response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' }] }));
  });
  await using upstream = await startHttpServer((_request, response) => response.end('hello'));
  const pinned = ['--jwt-audience', 'shop', '--jwt-issuer', 'https://issuer.example/'];
  const data = join(folder.path, 'jwks');
  await using up = await startBoth(data, '--jwt-jwks', issuer.url, ...pinned);
  expect(up.running).toMatchObject({ jwtJwks: issuer.url });
  expect(up.running).not.toHaveProperty('jwtSecret');
  expect(await readdir(data)).toEqual([]);
  await up.process.printed(
    /^\{"part":"tokens","message":"the key set at .* is not to be had \(it answered 500\)/m,
  );

  expect(await register(up.running.registry, '--endpoint', upstream.url)).toMatchObject({ code: 0 });
  const claims = { audience: 'shop', issuer: 'https://issuer.example/', expiresIn: 60 };
  const ask = (options: jwt.SignOptions) => {
    const token = jwt.sign({}, privateKey, { algorithm: 'ES256', keyid: 'one', ...claims, ...options });
    return fetch(`${up.running.gateway}/a`, { headers: { Authorization: `Bearer ${token}` } });
  };
  expect((await ask({})).status).toBe(503);
  isThere = true;
  await eventually(
    () => ask({}),
    ({ status }) => status === 200,
  );
  expect((await ask({ audience: 'another shop' })).status).toBe(401);
  await up.process.printed(/is loaded: 1 keys/);
});

test('--allow-upstreams: the registry refuses other addresses, the gateway what a name stands for', async () => {
  await using upstream = await startHttpServer((_request, response) => response.end('hello'));
  await using up = await startBoth(
    join(folder.path, 'networks'),
    '--allow-upstreams',
    '10.0.0.0/8, fd00::/8',
  );
  expect(await register(up.running.registry, '--endpoint', upstream.url)).toMatchObject({
    code: 1,
    stderr: 'invalid_request: endpoints.0.url: 127.0.0.1 is not in the networks of --allow-upstreams\n',
  });
  const named = upstream.url.replace('127.0.0.1', 'localhost');
  expect(await register(up.running.registry, '--endpoint', named, '--public')).toMatchObject({ code: 0 });
  await eventually(
    () => fetch(`${up.running.gateway}/a`),
    ({ status }) => status === 502,
  );
  await up.process.printed(/"failure":"localhost: [^"]* is not in the networks/);
});

test('--trusted-proxies: what a proxy says reaches the service, and the log', async () => {
  await using upstream = await startHttpServer((request, response) =>
    response.end(request.headers['x-forwarded-for']),
  );
  await using up = await startBoth(join(folder.path, 'proxies'), '--trusted-proxies', '127.0.0.0/8');
  await register(up.running.registry, '--endpoint', upstream.url, '--public');
  const ask = () => fetch(`${up.running.gateway}/a`, { headers: { 'X-Forwarded-For': '192.0.2.7' } });
  const answer = await eventually(ask, ({ status }) => status === 200);
  expect(await answer.text()).toBe('192.0.2.7, 127.0.0.1');
  await up.process.printed(/"client":"192.0.2.7"/);
});
