// The programs as they are started, each in a process of its own.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../tests/support/free-port.ts';
import { hasMongod, startMongod } from '../../../tests/support/mongod.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import { startProcess } from '../../../tests/support/process.ts';

const program = (name: string) => new URL(`../dist/${name}.js`, import.meta.url).pathname;

const startApp = (env: Record<string, string>) => startProcess('node', [program('app-only')], { env });

test('PORT=0 takes a free port and prints it', async () => {
  await using app = await startApp({ PORT: '0' });
  const [, origin] = await app.printed(/listening on (http:\/\/127\.0\.0\.1:\d+)\n/);
  const reply = await fetch(`${origin}/tickets`);
  expect(await reply.json()).toHaveLength(4);
});

test('HOST may be an IPv6 address', async () => {
  await using app = await startApp({ PORT: '0', HOST: '::1' });
  const [, origin] = await app.printed(/listening on (http:\/\/\[::1\]:\d+)\n/);
  expect((await fetch(`${origin}/health`)).status).toBe(200);
});

test('a port in use is one line that names it, and exit code 1', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  await using app = await startApp({ PORT: String(port) });
  expect(await app.ended).toEqual({ code: 1, signal: null });
  expect(app.stderr()).toMatch(
    new RegExp(`^tickets cannot listen on 127\\.0\\.0\\.1 port ${port}: .*EADDRINUSE.*\n$`),
  );
  holder.close();
});

test('a port that is none is one line, and exit code 1', async () => {
  await using app = await startApp({ PORT: 'http' });
  expect(await app.ended).toEqual({ code: 1, signal: null });
  expect(app.stderr()).toMatch(/^tickets cannot listen on 127\.0\.0\.1 port http: .*\n$/);
});

test('a MongoDB that does not answer is one line, and exit code 1', async () => {
  await using app = await startApp({
    PORT: '0',
    MONGO_URL: `mongodb://127.0.0.1:${await freePort()}/tickets`,
  });
  expect(await app.ended).toEqual({ code: 1, signal: null });
  expect(app.stderr()).toMatch(/^tickets cannot read tickets: .*ECONNREFUSED.*\n$/);
});

test.skipIf(skipWithout('a mongod', hasMongod))(
  'with MONGO_URL the tickets come from there; the app answers 500 while it is away',
  async () => {
    await using mongod = await startMongod();
    await using app = await startApp({ PORT: '0', MONGO_URL: `${mongod.url}/tickets` });
    const [, origin] = await app.printed(/listening on (\S+)/);
    expect(await (await fetch(`${origin}/tickets/T-1001`)).json()).toMatchObject({ id: 'T-1001' });

    mongod.process.kill('SIGKILL');
    await mongod.process.ended;
    const reply = await fetch(`${origin}/tickets`);
    expect(reply.status).toBe(500);
    expect(await reply.json()).toEqual({ error: 'something went wrong here' });
    expect((await fetch(`${origin}/health`)).status).toBe(200);
  },
  60_000,
);

test.each([
  ['is not asked to register', undefined],
  ['finds no registry', 'down'],
])('the service serves where it %s', async (_, registry) => {
  const SELF_REGISTRY = registry && `http://127.0.0.1:${await freePort()}`;
  await using service = await startProcess('node', [program('service')], {
    env: { PORT: '0', SELF_REGISTRY },
  });
  const [, origin] = await service.printed(/listening on (\S+)/);
  expect(await (await fetch(`${origin}/tickets`)).json()).toHaveLength(4);

  service.kill('SIGTERM');
  expect(await service.ended).toEqual({ code: null, signal: 'SIGTERM' });
});
