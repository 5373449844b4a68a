import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChangeSet, Snapshot } from '@reg/schema/shapes';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProxy } from '../testing/proxy.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { type WatchOptions, watch } from './watch.ts';

/** Watches into an array, until the test ends. */
function collect(options: WatchOptions) {
  const items: (Snapshot | ChangeSet)[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for await (const item of watch({ signal: stop.signal, ...options })) items.push(item);
  })();
  ended.catch(() => undefined);
  onTestFinished(() => stop.abort());
  return { items, ended, stop };
}

const isSnapshot = (item: Snapshot | ChangeSet): item is Snapshot => 'services' in item;

/** The versions that the changes of one instance tell, in their order. */
const versions = (items: readonly (Snapshot | ChangeSet)[]) =>
  items.flatMap((item) =>
    isSnapshot(item)
      ? []
      : item.changes.flatMap((change) => ('instance' in change ? [change.instance.version] : [])),
  );

async function put(registry: TestRegistry, version: string, id = 'one'): Promise<void> {
  const endpoints = [{ type: 'http', url: `http://127.0.0.1:9/${id}` }];
  const { status } = await registry.put('tickets', id, {
    url: '/tickets',
    endpoints,
    authorizedRoles: [],
    version,
  });
  expect(status).toBeLessThan(300);
}

test('first a snapshot, then every change in order, until the signal', async () => {
  await using registry = await startRegistry();
  await put(registry, '0');
  const { items, ended, stop } = collect({ registry: registry.url });
  await eventually(() => items.length === 1);
  expect(items[0]).toMatchObject({ services: [{ name: 'tickets', instances: [{ version: '0' }] }] });
  for (let version = 1; version <= 50; version++) await put(registry, `${version}`);
  await eventually(() => items.length === 51);
  expect(versions(items)).toEqual(Array.from({ length: 50 }, (_, index) => `${index + 1}`));
  const revisions = items.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  stop.abort();
  await ended;
});

// Story: a connection that broke between two changes must lose none and repeat none.
test('a line that is cut again and again: no change is missed, none comes twice', async () => {
  await using registry = await startRegistry();
  await using proxy = await startProxy(registry.url);
  const { items } = collect({ registry: proxy.url });
  await eventually(() => items.length === 1);
  for (let version = 1; version <= 60; version++) {
    await put(registry, `${version}`);
    if (version % 10 === 0) {
      await eventually(() => versions(items).length >= version - 5);
      proxy.cut();
    }
  }
  await eventually(() => versions(items).at(-1) === '60');
  expect(versions(items)).toEqual(Array.from({ length: 60 }, (_, index) => `${index + 1}`));
  expect(items.filter(isSnapshot)).toHaveLength(1);
  expect(proxy.sent()).toMatch(/^last-event-id: [a-z0-9]+\.\d+\r$/im);
});

test('after a position seen before: only what came later', async () => {
  await using registry = await startRegistry();
  await put(registry, '1');
  const first = collect({ registry: registry.url });
  await eventually(() => first.items.length === 1);
  first.stop.abort();
  await put(registry, '2');
  const { epoch, revision } = first.items[0] as Snapshot;
  const { items } = collect({ registry: registry.url, after: { epoch, revision } });
  await eventually(() => items.length === 1);
  expect(versions(items)).toEqual(['2']);
});

test('the registry restarted: another history begins with its snapshot', async () => {
  await using registry = await startRegistry();
  await put(registry, '1');
  const { items } = collect({ registry: registry.url });
  await eventually(() => items.length === 1);
  await registry.stop();
  await registry.start();
  await eventually(() => items.length === 2);
  await put(registry, '2');
  await eventually(() => versions(items).at(-1) === '2');
  const [before, after] = items.filter(isSnapshot);
  expect(after?.epoch).not.toBe(before?.epoch);
});

test('a position of another epoch is compacted, where it was the caller who gave it', async () => {
  await using registry = await startRegistry();
  const { ended } = collect({ registry: registry.url, after: { epoch: 'other', revision: 1 } });
  await expect(ended).rejects.toMatchObject({ code: 'compacted', retryable: false });
});

test('a wrong address is refused at once', () => {
  expect(() => watch({ registry: 'nonsense' })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

/** A registry whose stream opens and then says nothing more. */
async function startSilent() {
  let streams = 0;
  let closed = 0;
  const server = createServer((request, response) => {
    if (request.url === '/v1/snapshot')
      return response.end(JSON.stringify({ epoch: 'e', revision: 1, services: [] }));
    streams += 1;
    response.on('close', () => (closed += 1));
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, streams: () => streams, closed: () => closed };
}

// Story: a router dropped a connection without a word, and the watch listened to it for two hours.
test('a connection that is silent for idleMs counts as dead: another one resumes', async () => {
  const silent = await startSilent();
  const { items } = collect({ registry: silent.url, idleMs: 50 });
  await eventually(() => silent.streams() >= 3);
  expect(items).toHaveLength(1);
});

test('leaving the loop closes the connection', async () => {
  const silent = await startSilent();
  for await (const item of watch({ registry: silent.url })) {
    expect(item).toMatchObject({ epoch: 'e' });
    break;
  }
  await using registry = await startRegistry();
  await put(registry, '1');
  await using proxy = await startProxy(registry.url);
  for await (const item of watch({ registry: proxy.url })) {
    if (isSnapshot(item)) void put(registry, '2');
    else break;
  }
  await eventually(() => proxy.open() <= 1); // the pooled connection of the snapshot may wait for more
});
