// handler() where people have an app already.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { startGateway, startUpstream } from './gateway.fixture.ts';

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
