// Whom `reg up` trusts: an issuer's keys, networks, proxies. Real processes of the built program.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import jwt from 'jsonwebtoken';
import { afterAll, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProcess } from '../../../tests/support/process.ts';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'reg-trust-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

async function listen(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function startUp(name: string, ...flags: string[]) {
  const data = join(folder, name);
  const ports = ['--gateway-port', '0', '--registry-port', '0'];
  const program = await startProcess('node', [main, 'up', ...ports, '--json', '--data', data, ...flags]);
  const [line] = await program.printed(/^\{"gateway".*\}$/m);
  return { program, data, running: JSON.parse(line) as Record<string, string> };
}

async function register(registry: string | undefined, ...more: string[]) {
  const args = ['register', 'a', '--url', '/a', ...more, '--registry', registry ?? ''];
  await using program = await startProcess('node', [main, ...args]);
  return { ...(await program.ended), stderr: program.stderr() };
}

test('--jwt-jwks: no secret is made, the issuer may come later, and its tokens count', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let isThere = false;
  await using issuer = await listen((_request, response) => {
    if (!isThere) response.writeHead(500).end();
    else response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' }] }));
  });
  await using upstream = await listen((_request, response) => response.end('hello'));
  const pinned = ['--jwt-audience', 'shop', '--jwt-issuer', 'https://issuer.example/'];
  const { program, data, running } = await startUp('jwks', '--jwt-jwks', issuer.url, ...pinned);
  await using _ends = program;
  expect(running).toMatchObject({ jwtJwks: issuer.url });
  expect(running).not.toHaveProperty('jwtSecret');
  expect(await readdir(data)).toEqual([]);
  await program.printed(
    /^\{"part":"tokens","message":"the key set at .* is not to be had \(it answered 500\)/m,
  );

  expect(await register(running.registry, '--endpoint', upstream.url)).toMatchObject({ code: 0 });
  const claims = { audience: 'shop', issuer: 'https://issuer.example/', expiresIn: 60 };
  const ask = (options: jwt.SignOptions) => {
    const token = jwt.sign({}, privateKey, { algorithm: 'ES256', keyid: 'one', ...claims, ...options });
    return fetch(`${running.gateway}/a`, { headers: { Authorization: `Bearer ${token}` } });
  };
  expect((await ask({})).status).toBe(503);
  isThere = true;
  await eventually(
    () => ask({}),
    ({ status }) => status === 200,
  );
  expect((await ask({ audience: 'another shop' })).status).toBe(401);
  await program.printed(/is loaded: 1 keys/);
});

test('--allow-upstreams: the registry refuses other addresses, the gateway what a name stands for', async () => {
  await using upstream = await listen((_request, response) => response.end('hello'));
  const { program, running } = await startUp('networks', '--allow-upstreams', '10.0.0.0/8, fd00::/8');
  await using _ends = program;
  expect(await register(running.registry, '--endpoint', upstream.url)).toMatchObject({
    code: 1,
    stderr: 'invalid_request: endpoints.0.url: 127.0.0.1 is not in the networks of --allow-upstreams\n',
  });
  const named = upstream.url.replace('127.0.0.1', 'localhost');
  expect(await register(running.registry, '--endpoint', named, '--public')).toMatchObject({ code: 0 });
  await eventually(
    () => fetch(`${running.gateway}/a`),
    ({ status }) => status === 502,
  );
  await program.printed(/"failure":"localhost: [^"]* is not in the networks/);
});

test('--trusted-proxies: what a proxy says reaches the service, and the log', async () => {
  await using upstream = await listen((request, response) =>
    response.end(request.headers['x-forwarded-for']),
  );
  const { program, running } = await startUp('proxies', '--trusted-proxies', '127.0.0.0/8');
  await using _ends = program;
  await register(running.registry, '--endpoint', upstream.url, '--public');
  const ask = () => fetch(`${running.gateway}/a`, { headers: { 'X-Forwarded-For': '192.0.2.7' } });
  const answer = await eventually(ask, ({ status }) => status === 200);
  expect(await answer.text()).toBe('192.0.2.7, 127.0.0.1');
  await program.printed(/"client":"192.0.2.7"/);
});
