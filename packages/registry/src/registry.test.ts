// The rules through the registry's front door, each with its edge. Fencing and holding back as pure
// functions: lease.test.ts, reaper.test.ts.
import { expect, test } from 'vitest';
import { createMemoryStore } from './memory-store.ts';
import { createRegistry, type Registry } from './registry.ts';
import { createFakeClock } from './testing/index.ts';
import { bodyOf, kindsAfter, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const two = nameOf('tickets', 'two');

function states(registry: Registry, service: string): Record<string, string> {
  const { instances } = registry.getService(service);
  return Object.fromEntries(instances.map(({ instanceId, state }) => [instanceId, state]));
}

test('register answers with what it granted; the readable document of the original is enough', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const reply = await registry.register(one, bodyOf(one));
  const { epoch, revision } = registry.position();
  const leaseUntil = clock.now() + 10_000;
  expect(reply).toEqual({
    instanceId: 'one',
    generation: revision,
    leaseUntil,
    epoch,
    revision,
    created: true,
  });
  expect(registry.getService('tickets')).toEqual({
    epoch,
    revision,
    holdingBack: false,
    name: 'tickets',
    url: '/tickets',
    authorizedRoles: ['reader'],
    access: 'token',
    slug: 'tickets',
    instances: [
      {
        instanceId: 'one',
        generation: revision,
        state: 'up',
        endpoints: [{ type: 'http', url: 'http://one.test:3000/tickets' }],
        lease: { ttlMs: 10_000 },
        registeredAt: clock.now(),
        leaseUntil,
      },
    ],
  });
});

test('deprecated since it was first said; said again it is no change, and it never begins after its end', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const since = clock.now();
  const sunset = since + 60_000;
  const deprecated = () => registry.getService('tickets').instances[0]?.deprecated;
  await registry.register(one, bodyOf(one, { runId: 'a', deprecated: { sunset } }));
  const before = registry.position();
  await clock.advance(4_000);
  await registry.register(one, bodyOf(one, { runId: 'a', deprecated: { sunset } }));
  expect(registry.position()).toEqual(before);
  expect(deprecated()).toEqual({ sunset, since });
  await registry.register(one, bodyOf(one, { runId: 'a', deprecated: { sunset: 7 } }));
  expect(deprecated()).toEqual({ sunset: 7, since: 7 });
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  expect(deprecated()).toBeUndefined();
});

test('the same run with the same content renews its lease and is no change', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const first = await registry.register(one, bodyOf(one, { runId: 'a', metadata: { x: '1', y: '2' } }));
  await clock.advance(4_000);
  const again = await registry.register(one, bodyOf(one, { runId: 'a', metadata: { y: '2', x: '1' } }));
  expect(again).toEqual({ ...first, created: false, leaseUntil: clock.now() + 10_000 });
  expect(registry.getService('tickets').instances[0]?.leaseUntil).toBe(clock.now() + 10_000);
});

test('which endpoints are parts of one answer is kept with the instance', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const part = (port: number, as?: string) => ({
    type: 'http' as const,
    url: `http://one.test:${port}/`,
    as,
  });
  const parts = { merge: true, partial: 'allow' as const, endpoints: [part(3001), part(3002, 'desk')] };
  const first = await registry.register(one, bodyOf(one, { runId: 'a', ...parts }));
  expect(registry.getService('tickets').instances).toMatchObject([parts]);
  await registry.register(one, bodyOf(one, { runId: 'a', ...parts, partial: 'refuse' }));
  expect(await kindsAfter(registry, first)).toEqual([['instance-updated']]);
});

test('the same run with other content is updated, and joined when it joined', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const first = await registry.register(one, bodyOf(one, { runId: 'a' }));
  const joinedAt = clock.now();
  await clock.advance(1_000);
  const again = await registry.register(
    one,
    bodyOf(one, { runId: 'a', version: '2', lease: { ttlMs: 3_000 } }),
  );
  expect(again.generation).toBe(first.generation);
  expect(await kindsAfter(registry, first)).toEqual([['instance-updated']]);
  const [instance] = registry.getService('tickets').instances;
  expect(instance).toMatchObject({ version: '2', registeredAt: joinedAt, leaseUntil: clock.now() + 3_000 });
});

test('another run takes over at once, with a higher generation; the old one may not come back', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const old = await registry.register(one, bodyOf(one, { runId: 'old' }));
  const young = await registry.register(one, bodyOf(one, { runId: 'young' }));
  expect(young.generation).toBeGreaterThan(old.generation);
  expect(young.created).toBe(false);
  const position = registry.position();
  expect(await refusal(registry.renew(one, old.generation))).toBe('generation_superseded');
  expect(await refusal(registry.register(one, bodyOf(one, { runId: 'old' })))).toBe('generation_superseded');
  expect(await refusal(registry.drain(one, { runId: 'old' }))).toBe('generation_superseded');
  expect(await refusal(registry.unregister(one, { generation: old.generation }))).toBe(
    'generation_superseded',
  );
  expect(registry.position()).toEqual(position);
});

test('a run that registers again after a restart of the registry goes on with its generation', async () => {
  const clock = createFakeClock();
  const before = createRegistry({ store: createMemoryStore({ clock }), clock });
  const { generation } = await before.register(one, bodyOf(one, { runId: 'a' }));
  await clock.advance(500);
  const after = createRegistry({ store: createMemoryStore({ clock }), clock });
  const again = await after.register(one, bodyOf(one, { runId: 'a', generation }));
  expect(again).toMatchObject({ generation, created: true });
  const taken = await after.register(one, bodyOf(one, { runId: 'b' }));
  expect(taken.generation).toBeGreaterThan(generation);
});

test('a body that names another instance than the path is refused, naming the fields', async () => {
  await using opened = openRegistry();
  const wrong = opened.registry.register(one, bodyOf(one, { name: 'orders', instanceId: 'two' }));
  await expect(wrong).rejects.toMatchObject({
    code: 'invalid_request',
    errors: [{ field: 'name' }, { field: 'instanceId' }],
  });
  expect(
    await refusal(opened.registry.register(one, bodyOf(one, { name: 'tickets', instanceId: 'one' }))),
  ).toBe(undefined);
});

test('a registration without a lease stays until it is unregistered; its renewal says null', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const { generation, leaseUntil } = await registry.register(one, bodyOf(one, { lease: 'none' }));
  expect(leaseUntil).toBeNull();
  expect(await registry.renew(one, generation)).toEqual({ leaseUntil: null });
  await clock.advance(3_600_000);
  expect(registry.getService('tickets').instances).toHaveLength(1);
});

test('not renewed, an instance is gone within its lease and one second; renewed late but listed, it stays', async () => {
  await using opened = openRegistry();
  const { registry, clock, store } = opened;
  await clock.advance(137);
  const { generation } = await registry.register(one, bodyOf(one));
  await registry.register(two, bodyOf(two));
  await clock.advance(9_000);
  await registry.renew(one, generation);
  await clock.advance(2_000);
  expect(states(registry, 'tickets')).toEqual({ one: 'up' });
  expect(store.view.leases.size).toBe(1);
});

test('a renewal may carry the load of a loop: listed with its lease, until another run comes', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { generation } = await registry.register(one, bodyOf(one, { runId: 'a' }));
  const loadOf = () => registry.getService('tickets').instances[0]?.load;
  const before = registry.position();
  expect(loadOf()).toBeUndefined();
  await registry.renew(one, generation, { load: { loopUtilization: 0.5, loopDelayMs: 7 } });
  expect(loadOf()).toEqual({ loopUtilization: 0.5, loopDelayMs: 7 });
  await registry.renewMany([
    { service: 'tickets', id: 'one', generation, load: { loopUtilization: 1, loopDelayMs: 8 } },
  ]);
  await registry.renew(one, generation);
  expect(loadOf()).toEqual({ loopUtilization: 1, loopDelayMs: 8 });
  expect(registry.position()).toEqual(before);
  await registry.register(one, bodyOf(one, { runId: 'b' }));
  expect(loadOf()).toBeUndefined();
});

test('an expired run renews no more, and registers again as itself', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const { generation } = await registry.register(one, bodyOf(one, { runId: 'a' }));
  await clock.advance(11_000);
  expect(await refusal(registry.renew(one, generation))).toBe('instance_not_found');
  expect(await refusal(registry.drain(one, { generation }))).toBe('instance_not_found');
  const again = await registry.register(one, bodyOf(one, { runId: 'a' }));
  expect(again).toMatchObject({ generation, created: true });
});

test('renewing many answers each for itself, in order', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const { generation } = await registry.register(one, bodyOf(one));
  const gone = await registry.register(two, bodyOf(two));
  await registry.unregister(two, { generation: gone.generation });
  const { results } = await registry.renewMany([
    { ...two, generation: gone.generation },
    { ...one, generation },
    { ...one, generation: generation - 1 },
    { ...nameOf('nobody', 'x'), generation },
  ]);
  expect(results).toMatchObject([
    { id: 'two', code: 'instance_not_found' },
    { id: 'one', leaseUntil: clock.now() + 10_000 },
    { id: 'one', code: 'generation_superseded' },
    { service: 'nobody', code: 'instance_not_found' },
  ]);
});

test('a draining instance stays draining while its run goes on; a new run is up; draining twice is one change', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  const drained = await registry.drain(one, { runId: 'a' });
  expect(await registry.drain(one, { runId: 'a' })).toEqual(drained);
  await registry.register(one, bodyOf(one, { runId: 'a', version: '2' }));
  expect(states(registry, 'tickets')).toEqual({ one: 'draining' });
  await registry.register(one, bodyOf(one, { runId: 'b' }));
  expect(states(registry, 'tickets')).toEqual({ one: 'up' });
});

test('unregistering twice succeeds twice, at the position as it is', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { generation } = await registry.register(one, bodyOf(one, { runId: 'a' }));
  const gone = await registry.unregister(one, { runId: 'a' });
  expect(await registry.unregister(one, { runId: 'a' })).toEqual(gone);
  expect(await registry.unregister(one, { generation })).toEqual(gone);
  expect(await registry.unregister(one, { force: true })).toEqual(gone);
  expect(await refusal(registry.unregister(two, { force: true }))).toBe('instance_not_found');
  expect(await refusal(registry.unregister(one, { runId: 'x' }))).toBe('instance_not_found');
});

test('a late duplicate of its register does not resurrect a run that unregistered', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  await registry.unregister(one, { runId: 'a' });
  expect(await refusal(registry.register(one, bodyOf(one, { runId: 'a' })))).toBe('generation_superseded');
});

test('after an unregister by force the living process comes back by itself', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { generation } = await registry.register(one, bodyOf(one, { runId: 'a' }));
  await registry.unregister(one, { force: true });
  expect(await refusal(registry.renew(one, generation))).toBe('instance_not_found');
  expect(await registry.register(one, bodyOf(one, { runId: 'a', generation }))).toMatchObject({
    generation,
    created: true,
  });
});

test('an anonymous run (plain curl) repeats itself, and after its goodbye begins anew', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const first = await registry.register(one, bodyOf(one));
  expect((await registry.register(one, bodyOf(one))).generation).toBe(first.generation);
  await registry.unregister(one, { generation: first.generation });
  const second = await registry.register(one, bodyOf(one));
  expect(second.generation).toBeGreaterThan(first.generation);
  expect(await refusal(registry.unregister(one, { generation: first.generation }))).toBe(
    'generation_superseded',
  );
});

test('changes that belong together are one revision', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const start = registry.position();
  await registry.register(one, bodyOf(one, { lease: 'none' }));
  await registry.register(two, bodyOf(two));
  await registry.register(
    one,
    bodyOf(one, { lease: 'none', authorizedRoles: [], redefine: true, version: '2' }),
  );
  await registry.drain(one, { force: true });
  await clock.advance(11_000);
  await registry.unregister(one, { force: true }, { reason: 'a deploy' });
  expect(await kindsAfter(registry, start)).toEqual([
    ['service-updated', 'instance-registered'],
    ['instance-registered'],
    ['service-updated', 'instance-updated'],
    ['instance-drained'],
    ['instance-expired'],
    ['instance-unregistered', 'service-removed'],
  ]);
});

test('why somebody drained or unregistered an instance is in the history, in his words', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one));
  const registered = registry.position();
  await registry.drain(one, { force: true }, { reason: 'a slow disk' });
  await registry.unregister(one, { force: true }, { reason: 'a new disk' });
  const reasons: unknown[] = [];
  const ending = new AbortController();
  for await (const { revision, changes } of registry.changes(registered, ending.signal)) {
    reasons.push(...changes.map((change) => ('reason' in change ? change.reason : undefined)));
    if (revision === registry.position().revision) ending.abort();
  }
  expect(reasons).toEqual(['a slow disk', 'a new disk', undefined]);
});

test('a redefinition by an instance that says nothing new of itself renews its lease too', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  await clock.advance(5_000);
  const reply = await registry.register(one, bodyOf(one, { runId: 'a', authorizedRoles: [] }));
  expect(registry.getService('tickets').instances[0]?.leaseUntil).toBe(clock.now() + 10_000);
  expect(reply.leaseUntil).toBe(clock.now() + 10_000);
});

test('above the limit of instances a new one is refused, retryable; a listed one goes on', async () => {
  await using opened = openRegistry({ maxInstances: 1 });
  const { registry } = opened;
  await registry.register(one, bodyOf(one));
  await expect(registry.register(two, bodyOf(two))).rejects.toMatchObject({
    code: 'limit_reached',
    retryable: true,
  });
  expect(await refusal(registry.register(one, bodyOf(one, { runId: 'b' })))).toBe(undefined);
});
