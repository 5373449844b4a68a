// Health and explanations over HTTP: of a registry, of a gateway beside it, and of a gateway alone.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  contract,
  type ExplainQuestion,
  type Explanation,
  type GatewayHealth,
  type GatewayReasons,
  type HealthReason,
  summarize,
} from '@reg/schema';
import { expect, test } from 'vitest';
import { createMemoryStore } from '../memory-store.ts';
import { createRegistry } from '../registry.ts';
import { registryApp } from './app.ts';
import { createAdminServer } from './server.ts';
import { send, startApi } from './test-api.ts';

const explanation: Explanation = {
  method: 'GET',
  path: '/tickets',
  outcome: { ok: false, stage: 'match', status: 404, code: 'route_not_found', detail: 'nothing' },
  view: { stale: false },
  nearMisses: [],
  instances: [],
  order: [],
  retry: { unconnected: true, unanswered: true, unansweredWithBody: false },
};

/** The port, and what it was asked. */
function gatewayThat(fatal: HealthReason[] = [], warnings: HealthReason[] = []) {
  const questions: ExplainQuestion[] = [];
  const health = (): GatewayHealth => ({ ...summarize(fatal, warnings), stale: false, routes: 3 });
  const gateway: GatewayReasons = {
    health,
    async explain(question) {
      questions.push(question);
      return explanation;
    },
  };
  return { gateway, questions };
}

const noCatalog: HealthReason = { code: 'no_catalog', text: 'no snapshot yet', since: 7 };
const staleView: HealthReason = { code: 'stale_view', text: 'the registry is away', since: 7 };

test('a registry alone is live and ready', async () => {
  await using api = await startApi();
  for (const query of ['', '?check=live', '?check=ready']) {
    const { status, json } = await api.send({ path: `/v1/health${query}` });
    expect(status).toBe(200);
    expect(contract.health.reply.parse(json)).toMatchObject({
      status: 'ok',
      live: { ok: true, reasons: [] },
      ready: { ok: true, reasons: [] },
    });
    expect(json).not.toHaveProperty('gateway');
  }
});

test('with a gateway in the process health is of both, and readiness needs both', async () => {
  const { gateway } = gatewayThat([noCatalog], []);
  await using api = await startApi({ gateway });
  const { json } = await api.send({ path: '/v1/health' });
  expect(contract.health.reply.parse(json)).toMatchObject({
    status: 'degraded',
    reasons: ['no snapshot yet'],
    live: { ok: true },
    ready: { ok: false, reasons: [noCatalog] },
    instances: 0,
    gateway: { routes: 3, ready: { ok: false } },
  });
  expect((await api.send({ path: '/v1/health?check=live' })).status).toBe(200);
  const { status, problem, headers } = await api.send({ path: '/v1/health?check=ready' });
  expect([status, problem.code, headers['retry-after']]).toEqual([503, 'not_ready', '1']);
  expect(problem.detail).toBe('no_catalog: no snapshot yet');
});

test('a warning is told, and takes nobody out', async () => {
  const { gateway } = gatewayThat([], [staleView]);
  await using api = await startApi({ gateway });
  const { status, json } = await api.send({ path: '/v1/health?check=ready' });
  expect(status).toBe(200);
  expect(json).toMatchObject({ status: 'degraded', ready: { ok: true, reasons: [staleView] } });
});

test('an API that is closing says so while it still answers', async () => {
  const closing = new AbortController();
  const registry = createRegistry({ store: createMemoryStore() });
  const server = createServer(registryApp({ registry, signal: closing.signal })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect((await send(port, { path: '/v1/health?check=ready' })).status).toBe(200);
  closing.abort();
  const { status, problem } = await send(port, { path: '/v1/health?check=ready' });
  expect([status, problem.detail]).toEqual([503, 'closing: the registry is closing']);
  expect((await send(port, { path: '/v1/health' })).status).toBe(200);
  server.close();
  await registry.close();
});

test('explain passes on what is asked; the token has a header of its own, and is in no log', async () => {
  const { gateway, questions } = gatewayThat();
  await using api = await startApi({ gateway });
  const target = encodeURIComponent('/tickets/1?a=b&c');
  const reply = await api.send({
    path: `/v1/explain?method=POST&target=${target}`,
    headers: { 'X-Reg-Caller-Token': 'aaa.bbb.ccc', Authorization: 'Bearer of-who-asks' },
  });
  expect(reply.status).toBe(200);
  expect(contract.explain.reply.parse(reply.json)).toEqual(explanation);
  await api.send({ path: '/v1/explain?target=/x' });
  expect(questions).toEqual([
    { method: 'POST', target: '/tickets/1?a=b&c', token: 'aaa.bbb.ccc' },
    { method: 'GET', target: '/x', token: undefined },
  ]);
  expect(JSON.stringify(api.lines)).not.toContain('bbb');
});

test.each(['', '?target=', '?target=/x&method=get', '?target=/x&method=', '?target=/x&token=a'])(
  'explain%s is no question',
  async (query) => {
    const { gateway, questions } = gatewayThat();
    await using api = await startApi({ gateway });
    const { status, problem } = await api.send({ path: `/v1/explain${query}` });
    expect([status, problem.code, questions]).toEqual([400, 'invalid_request', []]);
  },
);

test('without a gateway in the process explain says where to ask', async () => {
  await using api = await startApi();
  const { status, problem } = await api.send({ path: '/v1/explain?target=/x' });
  expect([status, problem.code]).toEqual([404, 'not_found']);
  expect(problem.detail).toContain('--admin-port');
});

test('a gateway alone serves its part of the API, and nothing else, under the same guard', async () => {
  const { gateway } = gatewayThat([], [staleView]);
  const admin = await createAdminServer({ gateway, port: 0, log: () => undefined });
  const get = (path: string, headers = {}) => send(admin.port, { path, headers });
  const health = await get('/v1/health');
  expect(contract.health.reply.parse(health.json)).toMatchObject({
    status: 'degraded',
    reasons: ['the registry is away'],
    ready: { ok: true },
    gateway: { routes: 3 },
  });
  expect((await get('/v1/explain?target=/x')).json).toEqual(explanation);
  for (const path of ['/v1/services', '/v1/snapshot', '/v1/changes'])
    expect((await get(path)).status).toBe(404);
  expect((await get('/v1/health', { Host: 'evil.example' })).problem.code).toBe('host_refused');
  await expect(createAdminServer({ gateway, host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
    code: 'invalid_request',
  });
  await admin.close();
});
