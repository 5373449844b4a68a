// The rules through the registry's front door, each with its edge. Fencing and holding back as pure
// functions: lease.test.ts, reaper.test.ts.
import { formatPosition, type RegistrationBody } from '@reg/schema';
import { expect, test } from 'vitest';
import { createMemoryStore } from './memory-store.ts';
import { createRegistry, type Registry } from './registry.ts';
import { createFakeClock } from './testing/index.ts';
import { bodyOf, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const two = nameOf('tickets', 'two');

function states(registry: Registry, service: string): Record<string, string> {
  const { instances } = registry.getService(service);
  return Object.fromEntries(instances.map(({ instanceId, state }) => [instanceId, state]));
}

/** The kinds of the changes after a position. */
async function kindsAfter(
  registry: Registry,
  after: { epoch: string; revision: number },
): Promise<string[][]> {
  const { revision } = registry.position();
  const kinds: string[][] = [];
  if (revision === after.revision) return kinds;
  for await (const set of registry.changes(after, new AbortController().signal)) {
    kinds.push(set.changes.map(({ kind }) => kind));
    if (set.revision === revision) break;
  }
  return kinds;
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

test('the same run with the same content renews its lease and is no change', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const first = await registry.register(one, bodyOf(one, { runId: 'a', metadata: { x: '1', y: '2' } }));
  await clock.advance(4_000);
  const again = await registry.register(one, bodyOf(one, { runId: 'a', metadata: { y: '2', x: '1' } }));
  expect(again).toEqual({ ...first, created: false, leaseUntil: clock.now() + 10_000 });
  expect(registry.getService('tickets').instances[0]?.leaseUntil).toBe(clock.now() + 10_000);
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

test('a redefinition by an instance that says nothing new of itself renews its lease too', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  await clock.advance(5_000);
  const reply = await registry.register(one, bodyOf(one, { runId: 'a', authorizedRoles: [] }));
  expect(registry.getService('tickets').instances[0]?.leaseUntil).toBe(clock.now() + 10_000);
  expect(reply.leaseUntil).toBe(clock.now() + 10_000);
});

test.each<[string, Partial<RegistrationBody>, string[]]>([
  ['url', { url: '/other' }, ['url']],
  ['roles', { authorizedRoles: ['writer'] }, ['authorizedRoles']],
  ['any of the roles instead of all', { authorizedRoles: { anyOf: ['reader'] } }, ['authorizedRoles']],
  ['access and roles', { access: 'public', authorizedRoles: [] }, ['authorizedRoles', 'access']],
])(
  'a second instance that disagrees on %s is refused, naming the fields; with redefine it changes all',
  async (_, more, fields) => {
    await using opened = openRegistry();
    const { registry } = opened;
    await registry.register(one, bodyOf(one));
    const position = registry.position();
    const refused = registry.register(two, bodyOf(two, more));
    await expect(refused).rejects.toMatchObject({
      code: 'registration_conflict',
      errors: fields.map((field) => ({ field })),
    });
    expect(registry.position()).toEqual(position);
    await registry.register(two, bodyOf(two, { ...more, redefine: true }));
    expect(registry.getService('tickets')).toMatchObject({ ...more, instances: [{}, {}] });
  },
);

test('the order and repetition of roles is no conflict, nor is another spelling of the path', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one, { authorizedRoles: ['a', 'b'] }));
  const reply = await registry.register(
    two,
    bodyOf(two, { authorizedRoles: ['b', 'a', 'b'], url: '/%74ickets', access: 'token' }),
  );
  expect(reply.created).toBe(true);
  expect(registry.getService('tickets')).toMatchObject({ authorizedRoles: ['a', 'b'], url: '/tickets' });
});

test('one that is alone may redefine by registering again; the path it left is free', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one, { runId: 'a' }));
  await registry.register(one, bodyOf(one, { runId: 'b', url: '/moved' }));
  expect(registry.getService('tickets').url).toBe('/moved');
  const other = nameOf('other', 'two');
  expect(await refusal(registry.register(other, bodyOf(other, { url: '/tickets' })))).toBe(undefined);
});

test('after the last one expired its service stays for an hour, and the next one may redefine it', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one));
  await clock.advance(11_000);
  expect(registry.getService('tickets').instances).toEqual([]);
  await clock.advance(3_000_000);
  await registry.register(two, bodyOf(two, { url: '/moved' }));
  expect(registry.getService('tickets')).toMatchObject({ url: '/moved', instances: [{ instanceId: 'two' }] });
  await clock.advance(11_000);
  const position = registry.position();
  await clock.advance(3_598_750);
  expect(registry.position()).toEqual(position);
  await clock.advance(1_000);
  expect(await refusal(() => registry.getService('tickets'))).toBe('service_not_found');
  expect(await kindsAfter(registry, position)).toEqual([['service-removed']]);
});

test('a path of a living service is taken; an empty service gives way, in the same revision', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one));
  const other = nameOf('other', 'two');
  const wanted = bodyOf(other, { url: '/%74ickets' });
  await expect(registry.register(other, wanted)).rejects.toMatchObject({
    code: 'path_taken',
    message: expect.stringContaining('tickets'),
    errors: [{ field: 'url' }],
  });
  await clock.advance(11_000);
  const before = registry.position();
  await registry.register(other, wanted);
  expect(await kindsAfter(registry, before)).toEqual([
    ['service-removed', 'service-updated', 'instance-registered'],
  ]);
  expect(registry.listServices().services.map(({ name }) => name)).toEqual(['other']);
});

test('two names of one slug: the second is refused while the first has instances', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one));
  const shout = nameOf('TICKETS!', 'two');
  expect(await refusal(registry.register(shout, bodyOf(shout, { url: '/shout' })))).toBe('slug_taken');
  await clock.advance(11_000);
  expect(await refusal(registry.register(shout, bodyOf(shout, { url: '/shout' })))).toBe(undefined);
});

test.each(['/_reg', '/_reg/health', '/%5Freg', '/%5freg/x', '/'])('%s is reserved', async (url) => {
  await using opened = openRegistry();
  expect(await refusal(opened.registry.register(one, bodyOf(one, { url })))).toBe('path_reserved');
  expect(opened.registry.listServices().services).toEqual([]);
});

test('/ goes to the service that the operator granted it to, and to no other; /_reg to nobody', async () => {
  const grants = [
    { path: '/', service: 'Web' },
    { path: '/_reg', service: 'Web' },
  ];
  await using opened = openRegistry({ grants });
  const { registry } = opened;
  const web = nameOf('Web', 'one');
  expect(await refusal(registry.register(two, bodyOf(two, { url: '/' })))).toBe('path_reserved');
  expect(await refusal(registry.register(web, bodyOf(web, { url: '/_reg' })))).toBe('path_reserved');
  expect(await refusal(registry.register(web, bodyOf(web, { url: '/' })))).toBe(undefined);
  expect(await refusal(registry.register(nameOf('_registry', 'x'), bodyOf(nameOf('_registry', 'x'))))).toBe(
    undefined,
  );
});

test('one address under two instance ids is refused, naming the holder, in any spelling and any service', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  await registry.register(one, bodyOf(one, { endpoints: [{ type: 'http', url: 'http://host.test:80/a' }] }));
  const endpoints = [
    { type: 'http' as const, url: 'http://free.test' },
    { type: 'http-get' as const, url: 'http://HOST.test/a/' },
  ];
  for (const name of [two, nameOf('other', 'two')]) {
    await expect(registry.register(name, bodyOf(name, { endpoints }))).rejects.toMatchObject({
      code: 'endpoint_taken',
      retryable: true,
      message: expect.stringContaining('instance one of tickets'),
      errors: [{ field: 'endpoints.1.url' }],
    });
  }
  const samePort = nameOf('other', 'one');
  expect(await refusal(registry.register(samePort, bodyOf(samePort, { endpoints })))).toBe(undefined);
  await registry.unregister(samePort, { force: true });
  await clock.advance(11_000);
  expect(await refusal(registry.register(two, bodyOf(two, { endpoints })))).toBe(undefined);
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

test('moving a path swaps it between two services in one revision; repeated, it succeeds without a change', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const young = nameOf('tickets-2', 'two');
  await registry.register(one, bodyOf(one));
  await registry.register(young, bodyOf(young));
  const before = registry.position();
  const move = { path: '/tickets', from: 'tickets', to: 'tickets-2' };
  const moved = await registry.movePath(move);
  expect(await registry.movePath(move)).toEqual(moved);
  expect(await kindsAfter(registry, before)).toEqual([['service-updated', 'service-updated']]);
  expect([registry.getService('tickets').url, registry.getService('tickets-2').url]).toEqual([
    '/tickets-2',
    '/tickets',
  ]);
});

test('a move that does not fit changes nothing', async () => {
  await using opened = openRegistry({ grants: [{ path: '/', service: 'Web' }] });
  const { registry } = opened;
  for (const service of ['tickets', 'orders', 'bills']) {
    const name = nameOf(service, service);
    await registry.register(name, bodyOf(name));
  }
  const web = nameOf('Web', 'web');
  await registry.register(web, bodyOf(web, { url: '/' }));
  const before = registry.position();
  const move = (path: string, from: string, to: string) => refusal(registry.movePath({ path, from, to }));
  expect(await move('/tickets', 'tickets', 'nobody')).toBe('service_not_found');
  expect(await move('/tickets', 'nobody', 'tickets')).toBe('service_not_found');
  expect(await move('/free', 'tickets', 'orders')).toBe('registration_conflict');
  expect(await move('/bills', 'tickets', 'orders')).toBe('path_taken');
  expect(await move('/', 'Web', 'orders')).toBe('path_reserved');
  expect(await move('/tickets', 'tickets', 'Web')).toBe('path_reserved');
  expect(await move('/tickets', 'tickets', 'tickets')).toBe(undefined);
  expect(registry.position()).toEqual(before);
});

test('a snapshot is everything at one revision, and the same object until the next change', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { generation } = await registry.register(one, bodyOf(one));
  const snapshot = registry.snapshot();
  await registry.renew(one, generation);
  expect(registry.snapshot()).toBe(snapshot);
  await registry.drain(one, { generation });
  expect(snapshot.services[0]?.instances[0]?.state).toBe('up');
  expect(registry.snapshot()).toMatchObject({
    ...registry.position(),
    services: [{ instances: [{ state: 'draining' }] }],
  });
});

test('waitFor gateways: the reply waits for their word, and names who is missing at the limit', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const following = new AbortController();
  const sets = registry.changes(registry.position(), following.signal, 'gate')[Symbol.asyncIterator]();
  const next = sets.next();
  const replied = registry.register(one, bodyOf(one), { waitFor: 'gateways' });
  const { value } = await next;
  registry.reportApplied('gate', { epoch: registry.position().epoch, revision: value.revision });
  expect((await replied).missing).toEqual([]);
  expect(await registry.register(one, bodyOf(one))).not.toHaveProperty('missing');

  const drained = registry.drain(one, { force: true }, { waitFor: 'gateways' });
  await clock.advance(1_000);
  expect((await drained).missing).toEqual(['gate']);
  following.abort();
  await clock.advance(2_000);
  expect(registry.health().gateways).toEqual([]);
});

test('a gateway counts as connected from the call on, even where nobody reads yet; its end is the abort', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const following = new AbortController();
  registry.changes(registry.position(), following.signal, 'gate');
  expect(registry.health().gateways).toEqual([{ id: 'gate', epoch: registry.position().epoch, revision: 0 }]);
  following.abort();
  await clock.advance(2_000);
  expect(registry.health().gateways).toEqual([]);
  registry.changes(registry.position(), AbortSignal.abort(), 'gate');
  await clock.advance(2_000);
  expect(registry.health().gateways).toEqual([]);
});

test('a position that cannot be followed is refused at once, and opens no watch', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { signal } = new AbortController();
  expect(await refusal(() => registry.changes({ epoch: 'other', revision: 1 }, signal, 'gate'))).toBe(
    'compacted',
  );
  expect(registry.health().gateways).toEqual([]);
});

test('the catalog of a gateway in the same process: snapshot, changes, applied; it counts as connected', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const catalog = registry.catalog('inside');
  const following = new AbortController();
  const snapshot = await catalog.snapshot(following.signal);
  const sets = catalog.changes(snapshot, following.signal)[Symbol.asyncIterator]();
  const next = sets.next();
  expect(registry.health().gateways).toMatchObject([{ id: 'inside' }]);
  const replied = registry.register(one, bodyOf(one), { waitFor: 'gateways' });
  const { value } = await next;
  await catalog.applied({ epoch: snapshot.epoch, revision: value.revision });
  expect((await replied).missing).toEqual([]);
  expect(
    await refusal(
      catalog.changes({ epoch: 'other', revision: 0 }, following.signal)[Symbol.asyncIterator]().next(),
    ),
  ).toBe('compacted');

  const last = sets.next();
  await registry.close();
  expect(await refusal(last)).toBe('registry_unavailable');
});

test('health and listings say when the reaper holds back, and a listing then still has everybody', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  for (let index = 0; index < 20; index++) {
    const name = nameOf('fleet', `i${index}`);
    await registry.register(name, bodyOf(name));
  }
  expect(registry.health()).toMatchObject({
    status: 'ok',
    reasons: [],
    services: 1,
    instances: 20,
    holdingBack: false,
  });
  await clock.advance(11_000);
  expect(registry.health()).toMatchObject({ status: 'degraded', instances: 20, holdingBack: true });
  expect(registry.health().reasons).toEqual(['holding back: 20 of 20 leases are overdue, nobody expires']);
  expect(registry.listServices().holdingBack).toBe(true);
  const { instances, holdingBack } = registry.getService('fleet');
  expect([instances.length, holdingBack]).toEqual([20, true]);
  for (const { instanceId, generation } of instances)
    await registry.renew(nameOf('fleet', instanceId), generation);
  await clock.advance(250);
  expect(registry.health()).toMatchObject({ status: 'ok', holdingBack: false });
});

// Story: the registry's own process stood still (SIGSTOP, a sleeping laptop). Its first look found every
// lease overdue, while the renewals lay unread in its sockets.
test('after standing still itself the registry reads the renewals before it expires anybody', async () => {
  const clock = createFakeClock();
  let tick = () => {};
  const still = {
    ...clock,
    every: (_: number, run: () => void) => {
      tick = run;
      return () => {};
    },
  };
  const store = createMemoryStore({ clock });
  const registry = createRegistry({ store, clock: still });
  const { generation } = await registry.register(one, bodyOf(one));
  await clock.advance(60_000);
  tick();
  await registry.renew(one, generation);
  tick();
  expect(registry.getService('tickets').instances).toHaveLength(1);
  await clock.advance(1_000);
  tick();
  await registry.close();
});

test('a store that fails is store_unavailable, health says why, and the reaper tries again', async () => {
  const clock = createFakeClock();
  const store = createMemoryStore({ clock });
  let broken = false;
  const failing = {
    ...store,
    write: (...args: Parameters<typeof store.write>) =>
      broken ? Promise.reject(new Error('disk full')) : store.write(...args),
    renew: (...args: Parameters<typeof store.renew>) =>
      broken ? Promise.reject(new Error('disk full')) : store.renew(...args),
  };
  const registry = createRegistry({ store: failing, clock });
  const { generation } = await registry.register(one, bodyOf(one));
  broken = true;
  await expect(registry.register(two, bodyOf(two))).rejects.toMatchObject({
    code: 'store_unavailable',
    cause: { message: 'disk full' },
  });
  expect(await refusal(registry.renew(one, generation))).toBe('store_unavailable');
  expect(await refusal(registry.renewMany([{ ...one, generation }]))).toBe('store_unavailable');
  expect(await refusal(registry.drain(one, { generation }))).toBe('store_unavailable');
  await clock.advance(11_000);
  expect(registry.health()).toMatchObject({
    status: 'degraded',
    instances: 1,
    reasons: ['the store did not take a write'],
  });
  broken = false;
  await clock.advance(500);
  expect(registry.health()).toMatchObject({ status: 'ok', instances: 0 });
  await registry.close();
});

test('a closed registry writes nothing more and ends its readers', async () => {
  const { registry } = openRegistry();
  const reader = registry.changes(registry.position(), new AbortController().signal)[Symbol.asyncIterator]();
  const next = reader.next();
  await registry.close();
  expect((await next).done).toBe(true);
  expect(await refusal(registry.register(one, bodyOf(one)))).toBe('store_unavailable');
  expect(formatPosition(registry.position())).toMatch(/^[0-9a-f]{16}\.\d+$/);
});
