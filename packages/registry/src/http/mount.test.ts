// The API in an Express app of somebody else: it answers there as it does alone, and never lets a request wait
// for what that app has taken away.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import { expect, test } from 'vitest';
import { createMemoryStore } from '../memory-store.ts';
import { createRegistry } from '../registry.ts';
import { registryApp } from './app.ts';
import type { AccessLine, ErrorLine } from './log.ts';
import { type Request, registrationOf, send, startApi } from './test-api.ts';

async function startMounted(prepare: (app: Express) => unknown = () => undefined) {
  const registry = createRegistry({ store: createMemoryStore() });
  const lines: (AccessLine | ErrorLine)[] = [];
  const app = express().disable('x-powered-by');
  prepare(app);
  app.use('/registry', registryApp({ registry, log: (line) => void lines.push(line) }));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    lines,
    send: (request: Request) => send(port, { ...request, path: `/registry${request.path}` }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await registry.close();
    },
  };
}

const one = '/v1/services/tickets/instances/one';

test.each<Request>([
  { method: 'PUT', path: one, body: registrationOf() },
  { method: 'PUT', path: `${one}?nope=1`, body: {} },
  { method: 'PUT', path: `${one}/lease`, body: { generation: 1 } },
  { method: 'POST', path: '/v1/leases', body: { renewals: [] } },
  { path: '/v1/services' },
  { path: '/v1/services/nobody' },
  { method: 'HEAD', path: '/v1/services' },
  { path: '/v1/services/%C3%A9' },
  { path: '/v1/health/' },
  { path: '/V1/health' },
  { path: '' },
  { path: '?a=b' },
  { path: '/' },
  { method: 'PATCH', path: one },
  { method: 'OPTIONS', path: '/v1/services' },
  { path: '/v1/services?a=%zz' },
  { path: '/v1/services', headers: { Host: 'evil.example' } },
  { method: 'PUT', path: one, headers: { Origin: 'http://evil.example' } },
])('%j is answered as it is without Express', async (request) => {
  await using alone = await startApi();
  await using mounted = await startMounted();
  const [here, there] = [
    await alone.send({ ...request, path: request.path.replace(/^(?!\/)/, '/') }),
    await mounted.send(request),
  ];
  expect(there.status).toBe(here.status);
  expect(there.problem?.code).toBe(here.problem?.code);
  expect(there.headers.allow).toBe(here.headers.allow);
  expect(Object.keys(there.headers).sort()).toEqual(Object.keys(here.headers).sort());
});

test('the log has the path as it was sent', async () => {
  await using mounted = await startMounted();
  await mounted.send({ path: '/v1/health?check=ready' });
  expect(mounted.lines).toMatchObject([{ kind: 'access', path: '/registry/v1/health', status: 200 }]);
});

// Story: behind express.json() a body has been read, and who waits for its end waits for ever.
test('behind what has read the body a write is refused at once', async () => {
  await using mounted = await startMounted((app) => app.use(express.json()));
  const reply = await mounted.send({ method: 'PUT', path: one, body: registrationOf() });
  expect(reply.problem).toMatchObject({ code: 'invalid_json', detail: 'the body is empty' });
});
