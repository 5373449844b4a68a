import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProxy } from '../testing/proxy.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { type DiscoverOptions, discover } from './discover.ts';

async function discovered(name: string, options: DiscoverOptions) {
  const view = await discover(name, options);
  onTestFinished(() => view.close());
  return view;
}

const body = (id: string, more = {}) => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:9/${id}` }],
  authorizedRoles: { anyOf: ['reader', 'writer'] },
  ...more,
});

async function put(registry: TestRegistry, id: string, more = {}): Promise<void> {
  expect((await registry.put('tickets', id, body(id, more))).status).toBeLessThan(300);
}

test('gives of each instance what a caller needs', async () => {
  await using registry = await startRegistry();
  const details = {
    version: '1.2',
    zone: 'a',
    weight: 2,
    tags: ['blue'],
    metadata: { team: 'desk' },
    deprecated: { since: 1_000, sunset: Date.parse('2027-01-31') },
  };
  await put(registry, 'one', details);
  const view = await discovered('tickets', { registry: registry.url });
  expect(view.instances).toEqual([
    {
      instanceId: 'one',
      url: 'http://127.0.0.1:9/one',
      type: 'http',
      endpoints: [{ type: 'http', url: 'http://127.0.0.1:9/one' }],
      roles: { anyOf: ['reader', 'writer'] },
      access: 'token',
      state: 'up',
      stale: false,
      ...details,
    },
  ]);
  expect(view.epoch).toMatch(/^[a-z0-9]+$/);
  expect(view.revision).toBeGreaterThan(0);
});

test('picks in turn, follows changes and leaves the draining out', async () => {
  await using registry = await startRegistry();
  await put(registry, 'one');
  await put(registry, 'two');
  const view = await discovered('tickets', { registry: registry.url });
  const picks = (count: number) => Array.from({ length: count }, () => view.pick().instanceId).sort();
  expect(picks(6)).toEqual(['one', 'one', 'one', 'two', 'two', 'two']);

  await put(registry, 'three');
  await eventually(() => view.instances.length === 3);
  expect(picks(3)).toEqual(['one', 'three', 'two']);

  const path = `${registry.url}/v1/services/tickets/instances`;
  await fetch(`${path}/one/drain?force=true`, { method: 'PUT' });
  await registry.forget('tickets', 'two');
  await eventually(
    () => view.instances.length === 2 && view.instances.some(({ state }) => state === 'draining'),
  );
  expect(picks(2)).toEqual(['three', 'three']);

  await registry.forget('tickets', 'three');
  await eventually(() => view.instances.length === 1);
  expect(() => view.pick()).toThrow(expect.objectContaining({ code: 'no_instances', retryable: true }));
});

test('no instance is up: it picks what the fallback has, marked, and the service itself once it is back', async () => {
  await using registry = await startRegistry();
  await put(registry, 'one');
  const spare = { ...body('spare'), url: '/spare' };
  await registry.put('spare', 'spare', spare);
  const setPolicy = async (policy: object) => {
    const path = `${registry.url}/v1/services/tickets/policy`;
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(path, { method: 'PUT', headers, body: JSON.stringify(policy) })).status).toBe(200);
  };
  const answer = { kind: 'static', contentType: 'text/plain', body: 'später' };
  const use = [
    { kind: 'cache' },
    { kind: 'service', service: 'spare' },
    { kind: 'static', status: 503, body: '' },
    answer,
  ];
  await setPolicy({ fallback: { use } });
  const view = await discovered('tickets', { registry: registry.url });
  expect(view.pick()).not.toHaveProperty('degraded');

  await registry.forget('tickets', 'one');
  await eventually(() => view.instances.length === 0);
  expect(view.pick()).toMatchObject({ instanceId: 'spare', degraded: { source: 'service', to: 'spare' } });
  await registry.forget('spare', 'spare');
  const pick = () => view.pick();
  await eventually(pick, ({ degraded }) => degraded?.source === 'static');
  expect(pick().degraded).toEqual({
    source: 'static',
    status: 200,
    headers: {},
    contentType: 'text/plain',
    body: 'später',
  });
  for (const more of ['', '/1?a=b']) {
    const response = await fetch(pick().url + more);
    expect([response.headers.get('content-type'), await response.text()]).toEqual(['text/plain', 'später']);
  }
  await setPolicy({ fallback: { use, methods: ['POST'] } });
  await eventually(
    () => {
      try {
        return pick().instanceId;
      } catch (error) {
        return (error as { code?: string }).code;
      }
    },
    (code) => code === 'no_instances',
  );
  await put(registry, 'one');
  await eventually(() => view.instances.length === 1);
  expect(pick()).toMatchObject({ instanceId: 'one' });
  expect(pick()).not.toHaveProperty('degraded');
});

test('the registry is away: the view stays and grows older; restarted: what comes back is fresh again', async () => {
  await using registry = await startRegistry();
  await put(registry, 'one');
  await put(registry, 'two');
  const view = await discovered('tickets', { registry: registry.url });
  const { epoch } = view;
  await registry.stop();
  const age = view.ageMs;
  await eventually(() => view.ageMs > age + 500);
  expect(view.instances.map(({ instanceId }) => instanceId)).toEqual(['one', 'two']);
  expect([view.pick().instanceId, view.pick().instanceId].sort()).toEqual(['one', 'two']);

  await registry.start();
  await eventually(() => view.epoch !== epoch);
  expect(view.instances.map(({ stale }) => stale)).toEqual([true, true]);
  await put(registry, 'one');
  await eventually(() => view.instances.some(({ stale }) => !stale));
  expect(view.instances.map(({ instanceId, stale }) => [instanceId, stale])).toEqual([
    ['one', false],
    ['two', true],
  ]);
  expect(view.ageMs).toBeLessThan(5_000);
});

test('the registry is away from the start: an empty view that fills by itself', async () => {
  await using registry = await startRegistry();
  await registry.stop();
  const view = await discovered('tickets', { registry: registry.url, waitMs: 10 });
  expect({ instances: view.instances, revision: view.revision, ageMs: view.ageMs }).toEqual({
    instances: [],
    revision: undefined,
    ageMs: Number.POSITIVE_INFINITY,
  });
  await registry.start();
  await put(registry, 'one');
  await eventually(() => view.instances.length === 1);
});

test('all views of one registry share one watch, which ends with the last of them', async () => {
  await using registry = await startRegistry();
  await put(registry, 'one');
  await using proxy = await startProxy(registry.url);
  const views = await Promise.all(
    ['tickets', 'tickets', 'other'].map((name) => discover(name, { registry: proxy.url })),
  );
  await eventually(() => proxy.sent().includes('GET /v1/changes'));
  expect(proxy.sent().match(/GET \/v1\/changes/g)).toHaveLength(1);
  for (const view of views) {
    view.close();
    view.close();
  }
  await eventually(() => proxy.open() <= 1); // the pooled connection of the snapshot may wait for more
  expect(views[0]?.instances).toHaveLength(1);

  const again = await discovered('tickets', { registry: proxy.url });
  await put(registry, 'two');
  await eventually(() => again.instances.length === 2);
});

test('a wrong address is refused', async () => {
  await expect(discover('tickets', { registry: 'nonsense' })).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

// `discover(process.env.SERVICE)` gave a view of the service "undefined"; `waitMs: '5s'` waited for nothing.
test('what names no service, or no time, is refused', async () => {
  for (const name of ['', undefined]) {
    await expect(discover(name as string)).rejects.toMatchObject({ errors: [{ field: 'name' }] });
  }
  const waitMs = '5s' as unknown as number;
  await expect(discover('tickets', { waitMs })).rejects.toMatchObject({ errors: [{ field: 'waitMs' }] });
});
