import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Catalog } from '@reg/schema';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProxy } from '../testing/proxy.ts';
import { startRegistry } from '../testing/registry.ts';
import { createCatalog } from './catalog.ts';

/** The type of this function is a test: the client's catalog is the gateway's port. */
function portOf(registry: string, gateway = 'gateway-1'): Catalog {
  return createCatalog({ registry, gateway });
}

const registration = (id: string) => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:9/${id}` }],
  authorizedRoles: [],
});

const stopping = () => {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  return stop;
};

test('snapshot, changes and what was applied: a register waits for this gateway', async () => {
  await using registry = await startRegistry();
  const catalog = portOf(registry.url);
  const { signal } = stopping();
  const { epoch, revision } = await catalog.snapshot(signal);
  const seen: string[] = [];
  const followed = (async () => {
    for await (const set of catalog.changes({ epoch, revision }, signal)) {
      seen.push(...set.changes.map(({ kind }) => kind));
      await catalog.applied({ epoch, revision: set.revision });
    }
  })();
  followed.catch(() => undefined);
  await eventually(async () => {
    const { gateways } = (await (await fetch(`${registry.url}/v1/health`)).json()) as { gateways: unknown[] };
    return gateways.length === 1;
  });

  const path = `${registry.url}/v1/services/tickets/instances/one?waitFor=gateways&wait=10s`;
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(path, { method: 'PUT', headers, body: JSON.stringify(registration('one')) });
  expect(await reply.json()).toMatchObject({ epoch, missing: [] });
  expect(seen).toEqual(['service-updated', 'instance-registered']);
});

test('of what was measured, only what somebody scales is sent; who is away is no error', async () => {
  await using registry = await startRegistry();
  const catalog = portOf(registry.url);
  await registry.put('tickets', 'one', registration('one'));
  const orders = {
    url: '/orders',
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:9/two' }],
    authorizedRoles: [],
  };
  await registry.put('orders', 'two', orders);
  const figures = { inFlight: 3, p99Ms: 12.5, refusalsPerSecond: 0, requestsPerSecond: 8 };
  await catalog.loads?.([
    { service: 'tickets', ...figures, isScaled: true },
    { service: 'orders', ...figures, isScaled: false },
    { service: 'gone', ...figures, isScaled: true },
  ]);
  const loadOf = async (service: string) =>
    ((await (await fetch(`${registry.url}/v1/services/${service}`)).json()) as { load?: object }).load;
  expect(await loadOf('tickets')).toEqual({ ...figures, gateways: 1 });
  expect(await loadOf('orders')).toBeUndefined();
  await registry.stop();
  await catalog.loads?.([{ service: 'tickets', ...figures, isScaled: true }]);
});

test('changes ends when its signal aborts', async () => {
  await using registry = await startRegistry();
  const catalog = portOf(registry.url);
  const stop = stopping();
  const { epoch, revision } = await catalog.snapshot(stop.signal);
  const changes = catalog.changes({ epoch, revision }, stop.signal)[Symbol.asyncIterator]();
  const next = changes.next();
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});

test('a position that cannot be followed is compacted', async () => {
  await using registry = await startRegistry();
  const changes = portOf(registry.url).changes({ epoch: 'other', revision: 1 }, stopping().signal);
  await expect(changes[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'compacted' });
});

test('a broken connection, and a registry that is away, are registry_unavailable and retryable', async () => {
  await using registry = await startRegistry();
  await using proxy = await startProxy(registry.url);
  const catalog = portOf(proxy.url);
  const { signal } = stopping();
  const { epoch, revision } = await catalog.snapshot(signal);
  const broken = catalog.changes({ epoch, revision }, signal)[Symbol.asyncIterator]().next();
  await eventually(() => proxy.sent().includes('GET /v1/changes?gateway=gateway-1'));
  proxy.cut();
  const unavailable = { code: 'registry_unavailable', retryable: true };
  await expect(broken).rejects.toMatchObject(unavailable);
  await registry.stop();
  await expect(catalog.snapshot(signal)).rejects.toMatchObject(unavailable);
  await catalog.applied({ epoch, revision }); // never rejects
});

test('a snapshot that nobody waits for any more rejects with the reason of its signal', async () => {
  await using registry = await startRegistry();
  await registry.freeze();
  const stop = stopping();
  const snapshot = portOf(registry.url).snapshot(stop.signal);
  const reason = new Error('not needed any more');
  stop.abort(reason);
  await expect(snapshot).rejects.toBe(reason);
});

// Story: a gateway that applied a thousand changes while the registry was slow sent it a thousand reports.
test('one report is under way at a time, and the newest wins', async () => {
  const reports: number[] = [];
  const waiting: ServerResponse[] = [];
  const slow = createServer(async (request, response) => {
    const chunks = await request.toArray();
    reports.push(JSON.parse(Buffer.concat(chunks).toString()).revision);
    waiting.push(response);
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void slow.close());
  const catalog = portOf(`http://127.0.0.1:${(slow.address() as AddressInfo).port}`);
  const all = Array.from({ length: 1_000 }, (_, revision) =>
    catalog.applied({ epoch: 'e', revision: revision + 1 }),
  );
  for (const count of [1, 2]) {
    await eventually(() => waiting.length === count);
    waiting[count - 1]?.end('{}');
  }
  await Promise.all(all);
  expect(reports).toEqual([1, 1_000]);
});
