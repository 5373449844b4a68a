// handler() where people have an app already.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import express from 'express';
import { expressjwt } from 'express-jwt';
import { WebSocket } from 'undici';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { rawRequest, startGateway, startUpstream, tokenOf } from './gateway.fixture.ts';
import { secretText, signed } from './tokens/signed.fixture.ts';

async function listening(app: express.Express) {
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  };
}

test('in an Express app: own routes first, the rest by the gateway, bodies streamed', async () => {
  await using upstream = await startUpstream((request, response) => {
    response.write(`${request.method} ${request.url} `);
    request.pipe(response);
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/tickets' }, { endpoints: [`${upstream.url}/api`] });
  await one.follows();
  const app = express();
  app.get('/own', (_request, response) => void response.send('own'));
  app.use('/services', one.gateway.handler()); // the mount path is not part of the public path
  app.use(one.gateway.handler());
  await using server = await listening(app);
  const ask = async (path: string, body?: string) => {
    const answer = await fetch(`${server.url}${path}`, body ? { method: 'POST', body } : {});
    return [answer.status, await answer.text()];
  };
  expect(await ask('/own')).toEqual([200, 'own']);
  expect(await ask('/tickets/1?a=b', 'hello')).toEqual([200, 'POST /api/1?a=b hello']);
  expect(await ask('/services/tickets/1', 'hello')).toEqual([200, 'POST /api/1 hello']);
  expect((await ask('/nowhere'))[0]).toBe(404);
});

// Story: a service that is also reached past the gateway protects itself as well.
test('a service behind express-jwt takes the same token through the gateway in an app, and directly', async () => {
  const service = express();
  service.use(expressjwt({ secret: secretText, audience: 'reg', issuer: 'reg', algorithms: ['HS256'] }));
  service.get('/tickets/:id', (request: express.Request & { auth?: { sub?: string } }, response) => {
    response.json({ id: request.params.id, for: request.auth?.sub });
  });
  const refuse: express.ErrorRequestHandler = (error, _request, response, _next) =>
    void response.status(error.status ?? 500).end();
  service.use(refuse);
  await using direct = await listening(service);
  await using one = await startGateway();
  one.catalog.add(
    { url: '/tickets', access: 'token', authorizedRoles: ['tickets-query'] },
    { endpoints: [`${direct.url}/tickets`] },
  );
  await one.follows();
  await using gateway = await listening(express().use(one.gateway.handler()));
  const ask = async (url: string, token: string) => {
    const answer = await fetch(`${url}/tickets/7`, { headers: { Authorization: `Bearer ${token}` } });
    return answer.status === 200 ? answer.json() : answer.status;
  };

  const claims = { sub: 'ann', roles: ['tickets-query'], aud: 'reg', iss: 'reg', exp: 4_102_444_800 };
  const foreign = signed({ ...claims, aud: 'elsewhere' });
  for (const { url } of [direct, gateway]) {
    expect(await ask(url, tokenOf('ann', ['tickets-query']))).toEqual({ id: '7', for: 'ann' });
    expect(await ask(url, foreign)).toBe(401);
  }
  // What the gateway adds: the service itself asks for no role.
  expect(await ask(direct.url, tokenOf('ann', []))).toEqual({ id: '7', for: 'ann' });
  expect(await ask(gateway.url, tokenOf('ann', []))).toBe(403);
});

// Story: behind express.json() the body is gone, and a forwarded request would wait for it for ever.
test('behind a body parser a request with a body is refused and said to the operator', async () => {
  await using upstream = await startUpstream((request, response) => void request.pipe(response));
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  await one.follows();
  const app = express();
  app.use(express.json(), one.gateway.handler());
  await using server = await listening(app);
  const send = (type: string) =>
    fetch(`${server.url}/x`, { method: 'POST', body: '{}', headers: { 'Content-Type': type } });
  expect((await send('text/plain')).status).toBe(200);
  expect((await send('application/json')).status).toBe(500);
  expect(String(one.errors[0])).toMatch(/before body parsers/);
});

describe('upgrade() beside it', () => {
  const fields = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
  const websocket = `Connection: Upgrade\r\nUpgrade: websocket\r\n${fields}`;
  const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n';

  /** An app with a route of its own and the gateway; behind that a service that speaks both. */
  async function startAll() {
    const upstream = await startUpstream((request, response) => {
      response.write(`${request.method} ${request.url} `);
      request.pipe(response);
    });
    upstream.server.on('upgrade', (message: IncomingMessage, socket: Socket) => {
      const accept = acceptOf(message.headers['sec-websocket-key']);
      const head = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head}`);
      socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')]));
      socket.on('data', () => socket.end(Buffer.from([0x88, 0]))); // whatever it says, it may go
      socket.on('end', () => socket.end());
    });
    const one = await startGateway();
    one.catalog.add(
      { url: '/x', access: 'token', authorizedRoles: ['chat'] },
      { endpoints: [`${upstream.url}/api`] },
    );
    one.catalog.add({ url: '/open' }, { id: 'open', endpoints: [`${upstream.url}/api`] });
    await one.follows();
    const app = express();
    app.post('/own', express.text({ type: '*/*' }), (request, response) => void response.send(request.body));
    app.get('/slow', (_request, response) => void response.write('slow'));
    app.use(one.gateway.handler());
    const listener = await listening(app);
    listener.server.on('upgrade', one.gateway.upgrade());
    return {
      ...{ one, upstream, port: listener.port, url: listener.url },
      async [Symbol.asyncDispose]() {
        listener.server.closeAllConnections();
        await listener[Symbol.asyncDispose]();
        await one.gateway.close();
        await upstream[Symbol.asyncDispose]();
      },
    };
  }

  test('a WebSocket of a client that people have, from its token to its Close', async () => {
    await using all = await startAll();
    const headers = { authorization: `Bearer ${tokenOf('ann', ['chat'])}` };
    const client = new WebSocket(`${all.url.replace('http', 'ws')}/x/room`, { headers });
    const [message] = await once(client, 'message');
    expect(message.data).toBe('hello');
    const closed = once(client, 'close');
    client.send('bye');
    await closed;
    await eventually(() => all.one.log.length === 1);
    expect(all.one.log[0]).toMatchObject({ status: 101, subject: 'ann', aborted: false });
  });

  test('refused as by its own port: 401, 403 for a foreign page, 404', async () => {
    await using all = await startAll();
    const ask = (path: string, more = '') =>
      rawRequest(all.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${websocket}${more}\r\n`);
    expect((await ask('/x')).status).toBe(401);
    expect((await ask('/open', 'Origin: https://evil.example\r\n')).status).toBe(403);
    expect((await ask('/nowhere')).status).toBe(404);
  });

  // Story: a server with a listener for upgrades hears no request that asks for any; Java's client always does.
  test.each([
    ['h2c', h2c],
    ['a WebSocket with a body', websocket],
    ['two at once', 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n'],
  ])('%s stays an ordinary request, to the app as to the gateway', async (_what, asked) => {
    await using all = await startAll();
    const head = (path: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\n${asked}Content-Type: text/plain\r\n`;
    for (const path of ['/own', '/open/1']) {
      const body = path === '/own' ? 'hello' : 'POST /api/1 hello';
      const whole = await rawRequest(
        all.port,
        `${head(path)}Content-Length: 5\r\n\r\nhelloGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      expect([whole.status, whole.body.includes(body.slice(-5))]).toEqual([200, true]);
      expect(whole.text).toContain('route_not_found'); // and the next one on the connection is read
      const socket = net.connect(all.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.write(`${head(path)}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n`);
      await eventually(() => socket.bytesWritten > 0 && !socket.connecting);
      socket.write('2\r\nlo\r\n0\r\n\r\n');
      await eventually(() => text.includes('hello') || (text.includes('hel') && text.includes('lo')));
      socket.destroy();
    }
  });

  test('one pipelined behind an open answer of the app ends the connection: no answer mixes with another', async () => {
    await using all = await startAll();
    const slow = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n';
    const { text } = await rawRequest(all.port, `${slow}GET /open HTTP/1.1\r\nHost: x\r\n${websocket}\r\n`);
    expect(text).not.toContain('101');
    expect(text.match(/HTTP\/1.1/g)?.length ?? 0).toBeLessThanOrEqual(1);
  });

  test('the gateway closes: its tunnels end', async () => {
    await using all = await startAll();
    const client = new WebSocket(`${all.url.replace('http', 'ws')}/open`);
    await once(client, 'message');
    const closed = once(client, 'close');
    await all.one.gateway.close();
    await closed;
  });
});

/** RFC 6455 §4.2.2. */
function acceptOf(asked: unknown): string {
  return createHash('sha1').update(`${asked}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
