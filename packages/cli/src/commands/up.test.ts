import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { freePort } from '../../../../tests/support/free-port.ts';
import { startUp } from '../../../../tests/support/stack.ts';
import { startHttpServer } from '../http-server.fixture.ts';
import { freshService, openRegistry, useRegistry } from '../reg.fixture.ts';

const registry = useRegistry();
const { folder, start, reg, regJson } = registry;

const anyPorts = ['--gateway-port', '0', '--registry-port', '0'];

test('up makes one secret, also when two start at once; reg token finds it; the gateway takes the token', async () => {
  const data = join(folder.path, 'fresh');
  await using one = await start(['up', ...anyPorts, '--json', '--data', data]);
  await using two = await start(['up', ...anyPorts, '--json', '--data', data]);
  const running = [];
  for (const each of [one, two]) running.push(JSON.parse((await each.printed(/^\{"gateway".*\}$/m))[0]));
  expect(running.filter(({ jwtSecretMade }) => jwtSecretMade)).toHaveLength(1);
  expect(await readdir(data)).toEqual(['jwt-secret']);

  await using upstream = await startHttpServer((_, response) => response.end('hello'));
  const token = (await reg(['token', '--sub', 'ada', '--roles', 'a,b', '--data', data])).stdout;
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  for (const { gateway, registry } of running) {
    await regJson(['register', 'a', '--url', '/a', '--endpoint', upstream.url, '--roles', 'b'], {
      REG_REGISTRY: registry,
    });
    const get = () => fetch(`${gateway}/a`, { headers: { authorization: `Bearer ${token.trim()}` } });
    await eventually(get, ({ status }) => status === 200);
  }
  for (const each of [one, two]) {
    each.kill('SIGTERM');
    expect(await each.ended).toEqual({ code: 0, signal: null });
  }
});

test('up --allow-origin, repeated or a line each in the environment, lets pages open WebSockets', async () => {
  const origins = ['https://a.example', 'https://b.example'];
  const flags = origins.flatMap((origin) => ['--allow-origin', origin]);
  const data = folder.path;
  await using byFlags = await startUp([...anyPorts, ...flags], data);
  await using byEnvironment = await startUp(anyPorts, data, { REG_ALLOW_ORIGIN: origins.join('\n') });
  for (const { running } of [byFlags, byEnvironment]) {
    const statuses = [];
    for (const Origin of [...origins, 'https://c.example']) {
      const request = httpGet(running.gateway ?? '', {
        headers: {
          ...{ Origin, Connection: 'Upgrade', Upgrade: 'websocket' },
          ...{ 'Sec-WebSocket-Key': 'x', 'Sec-WebSocket-Version': '13' },
        },
      });
      const [answer] = await once(request, 'response');
      answer.resume();
      statuses.push(answer.statusCode);
    }
    expect(statuses).toEqual([404, 404, 403]); // no service is there, but an origin's refusal comes before
  }
});

test('up prints a line per thing that runs; a port in use is one line, exit 1', async () => {
  await using up = await start(['up', ...anyPorts]);
  await up.printed(/^jwt-secret .*$/m);
  expect(up.stdout()).toMatch(
    /^gateway {2}http:\/\/127\.0\.0\.1:\d+\nregistry http:\/\/127\.0\.0\.1:\d+\ndata +\/.*\njwt-secret .*\n$/,
  );
  const port = /registry http:\/\/127\.0\.0\.1:(\d+)/.exec(up.stdout())?.[1] ?? '';
  // "is in use" alone left its reader to look up which of three flags that port belongs to.
  for (const [flag, variable] of [
    ['--registry-port', 'REG_REGISTRY_PORT'],
    ['--gateway-port', 'REG_GATEWAY_PORT'],
    ['--admin-port', 'REG_ADMIN_PORT'],
  ] as const) {
    const second = await reg(['up', ...anyPorts, flag, port]);
    expect(second).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: port ${port} is in use by another program: choose another with ${flag} or ${variable}\n`,
    });
  }
});

// It said nothing at all, ever, where `--registry` named nobody, a gateway, or a registry that asks for a token.
test('a gateway alone says in its log why it has nothing to serve, and that it is over', async () => {
  const port = await freePort();
  const alone = ['up', '--gateway-only', '--gateway-port', '0', '--log', 'json'];
  await using up = await start(alone, { REG_REGISTRY: `http://127.0.0.1:${port}` });
  await up.printed(/"part":"gateway","message":".*127\.0\.0\.1:\d+ does not answer: ECONNREFUSED"/);
  await using _ = await openRegistry(port);
  await up.printed(/"part":"gateway","message":"the registry is followed"/);
});

test('a gateway alone follows the registry across the network, and keeps going without it', async () => {
  await using upstream = await startHttpServer((_, response) => response.end('hello'));
  await using gateway = await startUp(['--gateway-only', '--gateway-port', '0'], join(folder.path, 'alone'), {
    REG_REGISTRY: registry.url,
  });
  const { name, path } = freshService();
  await regJson(['register', name, '--url', path, '--endpoint', upstream.url, '--public']);
  await eventually(
    () => fetch(gateway.running.gateway + path),
    ({ status }) => status === 200,
  );
});
