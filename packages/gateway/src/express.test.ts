// handler() where people have an app already.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expressjwt } from 'express-jwt';
import { expect, test } from 'vitest';
import { startGateway, startUpstream, tokenOf } from './gateway.fixture.ts';
import { secretText, signed } from './tokens/signed.fixture.ts';

async function listening(app: express.Express) {
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
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
