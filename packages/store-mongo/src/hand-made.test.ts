// What people and other programs do in the database itself counts.
import { createRegistry } from '@reg/registry';
import type { RegistrationBody } from '@reg/schema';
import mongoose, { type mongo } from 'mongoose';
import { expect } from 'vitest';
import { type ServerKind, serverKinds, test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { seededRandom } from '../../../tests/support/random.ts';
import { count } from '../../../tests/support/size.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers(...serverKinds);

async function openWorld(server: ServerKind) {
  const url = urlOn(server);
  const store = await openMongoStore({ url });
  const registry = createRegistry({ store });
  const connection = await mongoose.createConnection(url).asPromise();
  const services = connection.collection('services') as unknown as mongo.Collection<mongo.Document>;
  const definitions = connection.collection('definitions') as unknown as mongo.Collection<mongo.Document>;
  return {
    url,
    store,
    registry,
    services,
    definitions,
    listed: () =>
      registry.snapshot().services.map(({ name, url: path, instances }) => ({
        name,
        path,
        addresses: instances.flatMap(({ endpoints }) => endpoints.map((endpoint) => endpoint.url)).sort(),
      })),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await registry.close();
    },
  };
}

const plain = (name: string, port: number, more: object = {}) => ({
  name,
  url: `/${name}`,
  endpoints: [{ type: 'http-get', url: `http://127.0.0.1:${port}/query` }],
  authorizedRoles: ['tickets-query'],
  ...more,
});

test.for(serverKinds)(
  'the plain document of four fields is a live service; edited and deleted by hand it follows (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { services, listed, registry } = world;
    const { insertedId } = await services.insertOne(plain('tickets', 3001));
    await eventually(listed, ([first]) => first?.addresses[0] === 'http://127.0.0.1:3001/query');
    expect(registry.getService('tickets').instances).toMatchObject([
      { instanceId: insertedId.toString(), lease: 'none', leaseUntil: null, state: 'up' },
    ]);
    await services.updateOne(
      { name: 'tickets' },
      { $set: { 'endpoints.0.url': 'http://127.0.0.1:3002/query' } },
    );
    await eventually(listed, ([first]) => first?.addresses[0] === 'http://127.0.0.1:3002/query');
    await services.deleteOne({ name: 'tickets' });
    await eventually(listed, (all) => all.length === 0);
  },
);

test.for(serverKinds)(
  'two documents of one name are two instances; the service goes with the last one (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertMany([plain('tickets', 3001), plain('tickets', 3002)]);
    await eventually(world.listed, ([first]) => first?.addresses.length === 2);
    await world.services.deleteOne({ 'endpoints.url': 'http://127.0.0.1:3001/query' });
    await eventually(world.listed, ([first]) => first?.addresses.length === 1);
    await world.services.deleteMany({ name: 'tickets' });
    await eventually(world.listed, (all) => all.length === 0);
  },
);

test.for(serverKinds)(
  'a policy edited by hand in definitions counts; one that does not fit is reported and the last good one stays (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { services, definitions, registry, store } = world;
    const { name: _, ...said } = plain('tickets', 3001, { lease: 'none' });
    await registry.register({ service: 'tickets', id: 'one' }, said as RegistrationBody);
    await registry.setPolicy('tickets', { timeouts: { connectMs: 100 } });
    const policy = () => registry.getService('tickets').policy;
    const edit = (update: mongo.UpdateFilter<mongo.Document>) =>
      definitions.updateOne({ _id: 'tickets' as never }, update);

    await edit({ $set: { 'policy.timeouts.connectMs': 200, wanted: 2 } });
    await eventually(policy, (seen) => seen?.timeouts?.connectMs === 200);
    expect(registry.getService('tickets').wanted).toBe(2);

    await edit({ $set: { 'policy.timeouts.connectMs': 'soon' } });
    await eventually(
      () => store.condition?.().invalid,
      (all) => all?.[0]?.path === 'policy.timeouts.connectMs',
    );
    expect(policy()).toEqual({ timeouts: { connectMs: 200 } });
    if (server === 'replica set') {
      await using later = createDisposable(await openMongoStore({ url: world.url }));
      expect(later.store.view.services.get('tickets')?.definition).not.toHaveProperty('policy');
    }

    await edit({ $set: { 'policy.timeouts.connectMs': 300 } });
    await eventually(policy, (seen) => seen?.timeouts?.connectMs === 300);
    expect(store.condition?.().invalidCount).toBe(0);
    await edit({ $unset: { policy: '', wanted: '' } });
    await eventually(policy, (seen) => seen === undefined);

    await registry.setPolicy('tickets', { fallback: { use: [{ kind: 'cache' }] } });
    await services.updateOne({ name: 'tickets' }, { $set: { authorizedRoles: ['others'] } });
    await eventually(
      () => registry.getService('tickets').authorizedRoles,
      (roles) => JSON.stringify(roles) === '["others"]',
    );
    expect(policy()).toEqual({ fallback: { use: [{ kind: 'cache' }] } });
    await services.deleteOne({ name: 'tickets' });
    await eventually(
      () => registry.getService('tickets').instances,
      (all) => all.length === 0,
    );
  },
);

test.for(serverKinds)('one inserted by hand and edited at once is as it was edited (%s)', async (server) => {
  await using world = await openWorld(server);
  const { services, listed } = world;
  const rounds = count({ reduced: 20, whole: 200 });
  for (let round = 0; round < rounds; round++) {
    await services.insertOne(plain(`s${round}`, 4_000 + round));
    if (round % 2 === 1) await eventually(listed, ({ length }) => length === round + 1);
    await services.updateOne({ name: `s${round}` }, { $set: { url: `/edited-${round}` } });
  }
  const isAsEdited = (all: readonly { path: string }[]) =>
    all.length === rounds && all.every(({ path }) => path.startsWith('/edited-'));
  await eventually(listed, isAsEdited);
  await world.registry.close();
  await using again = createDisposable(await openMongoStore({ url: world.url }));
  expect([...again.store.view.paths.keys()].filter((path) => !path.startsWith('/edited-'))).toEqual([]);
});

test('a registered instance follows its document at once, whatever is edited right after it was written', async () => {
  await using world = await openWorld('replica set');
  const { services, registry } = world;
  const addressOf = (port: number) => `http://127.0.0.1:${port}/query`;
  for (let port = 4000; port < 4020; port++) {
    const name = { service: 'tickets', id: `i${port}` };
    const { name: _, ...said } = plain('tickets', port);
    const registered = registry.register(name, said as RegistrationBody);
    const edited = addressOf(port + 1_000);
    await eventually(
      () => services.updateOne({ 'reg.id': name.id }, { $set: { 'endpoints.0.url': edited } }),
      ({ matchedCount }) => matchedCount === 1,
    );
    await registered;
    await eventually(
      () => world.listed()[0]?.addresses ?? [],
      (addresses) => addresses.includes(edited) && !addresses.includes(addressOf(port)),
    );
  }
});

test.for(serverKinds)(
  'a document as the original’s library wrote it: _id in its endpoints, and __v (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const endpoints = [
      { _id: new mongoose.Types.ObjectId(), type: 'http-get', url: 'http://127.0.0.1:3001' },
    ];
    await world.services.insertOne(plain('tickets', 3001, { endpoints, __v: 0 }));
    await eventually(world.listed, ([first]) => first?.addresses.length === 1);
    expect(world.store.invalid()).toEqual([]);
  },
);

test.for(serverKinds)(
  'a hand edit of the path holds where it is the only instance; else it is reported and the former stays (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { services, listed, store, registry } = world;
    await services.insertOne(plain('tickets', 3001));
    await eventually(listed, (all) => all.length === 1);
    await services.updateOne({ name: 'tickets' }, { $set: { url: '/moved' } });
    await eventually(listed, ([first]) => first?.path === '/moved');

    const second = await registry.register(
      { service: 'tickets', id: 'second' },
      {
        url: '/moved',
        endpoints: [{ type: 'http', url: 'http://127.0.0.1:3009' }],
        authorizedRoles: ['tickets-query'],
      },
    );
    await services.updateOne(
      { 'endpoints.url': 'http://127.0.0.1:3001/query' },
      { $set: { url: '/elsewhere' } },
    );
    const [fault] = await eventually(
      () => store.invalid(),
      (faults) => faults.length === 1,
    );
    expect(fault).toMatchObject({ path: 'url', message: expect.stringContaining('living instances') });
    expect(listed()).toMatchObject([{ path: '/moved', addresses: { length: 2 } }]);
    await registry.unregister({ service: 'tickets', id: 'second' }, { generation: second.generation });
  },
);

test.for(serverKinds)(
  'a registered instance that is deleted by hand is gone, and its client may register again (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { registry, services, listed } = world;
    const name = { service: 'tickets', id: 'one' };
    const body = {
      url: '/tickets',
      endpoints: [{ type: 'http' as const, url: 'http://127.0.0.1:3001' }],
      authorizedRoles: [],
      runId: 'run-1',
    };
    const first = await registry.register(name, body);
    await services.deleteOne({ name: 'tickets' });
    await eventually(listed, (all) => all.length === 0);
    await expect(registry.renew(name, first.generation)).rejects.toMatchObject({
      code: 'instance_not_found',
    });
    const again = await registry.register(name, { ...body, generation: first.generation });
    expect(again.generation).toBeGreaterThanOrEqual(first.generation);
    expect(listed()).toMatchObject([{ name: 'tickets' }]);
  },
);

// Story: it was written down while the service that gave way still held the path there, and so never was.
test.for(serverKinds)(
  'who takes the path of a service without instances by hand has it in the database, too (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { registry, services, definitions, listed } = world;
    const name = { service: 'tickets', id: 'one' };
    await registry.register(name, {
      url: '/tickets',
      endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001' }],
      authorizedRoles: [],
    });
    const fallback = { use: [{ kind: 'static' as const, body: '[]' }] };
    await registry.setPolicy('tickets', { fallback }); // so that it stays without instances
    await registry.unregister(name, { force: true });
    expect(listed()).toMatchObject([{ name: 'tickets', addresses: [] }]);
    await services.insertOne(plain('orders', 3002, { url: '/tickets' }));
    await eventually(listed, ([first]) => first?.name === 'orders');
    await eventually(
      () => definitions.find().toArray(),
      (all) => all.length === 1 && all[0]?._id.toString() === 'orders',
    );
  },
);

// Story: both were written down at once, and the second one was refused while the first still held the path.
test.for(serverKinds)(
  'two that move by hand right after each other, one to where the other was, are both written down (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { services, definitions } = world;
    await services.insertMany([plain('one', 3001), plain('other', 3002)]);
    const paths = async () =>
      Object.fromEntries((await definitions.find().toArray()).map(({ _id, path }) => [_id, path]));
    await eventually(paths, ({ one, other }) => one === '/one' && other === '/other');
    const rounds = count({ reduced: 5, whole: 100 });
    for (let round = 0, left = '/one'; round < rounds; round++) {
      const moved = `/moved-${round}`;
      await services.bulkWrite([
        { updateOne: { filter: { name: 'one' }, update: { $set: { url: moved } } } },
        { updateOne: { filter: { name: 'other' }, update: { $set: { url: left } } } },
      ]);
      const expected = left;
      await eventually(paths, ({ one, other }) => one === moved && other === expected);
      left = moved;
    }
  },
);

test.for(serverKinds)('what people made is there after a restart (%s)', async (server) => {
  await using world = await openWorld(server);
  await world.services.insertOne(plain('tickets', 3001));
  await eventually(world.listed, (all) => all.length === 1);
  await world.registry.close();
  await using again = createDisposable(await openMongoStore({ url: world.url }));
  expect([...again.store.view.services.keys()]).toEqual(['tickets']);
});

function createDisposable(store: Awaited<ReturnType<typeof openMongoStore>>) {
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

test.for(serverKinds)(
  'documents that mean nothing are reported with their path, listed nowhere, and break nothing (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { services, store, listed, registry } = world;
    await services.insertOne(plain('tickets', 3001));
    await eventually(listed, (all) => all.length === 1);
    const random = seededRandom(1);
    const many = count({ reduced: 200, whole: 1_000 });
    const hostile = Array.from({ length: many }, (_, index) => hostileDocument(random, index));
    await services.insertMany(hostile, { ordered: false });
    const unreported = () => {
      const reported = new Set(store.invalid().map(({ id }) => id));
      return hostile.filter(({ _id }) => !reported.has(String(_id)));
    };
    await eventually(unreported, ({ length }) => length === 0, { withinMs: 20_000 });
    expect(listed()).toMatchObject([{ name: 'tickets', addresses: { length: 1 } }]);
    expect(store.invalid().every(({ message }) => message.length > 0)).toBe(true);
    await registry.register(
      { service: 'orders', id: 'one' },
      { url: '/orders', endpoints: [{ type: 'http', url: 'http://127.0.0.1:3005' }], authorizedRoles: [] },
    );
    await services.deleteMany({ name: { $ne: 'tickets' }, 'reg.id': { $exists: false } });
    await eventually(
      () => store.invalid().length,
      (reported) => reported === 0,
      { withinMs: 30_000 },
    );
    expect(
      listed()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['orders', 'tickets']);
  },
);

// Story: a document with a typing error was in no log, and of a gateway alone that reads the database nowhere at all.
test.for(serverKinds)(
  'one that means nothing is in the log, once until it is mended (%s)',
  async (server) => {
    const url = urlOn(server);
    const lines: string[] = [];
    const log = (line: string) => {
      if (line.startsWith('the document ')) lines.push(line);
    };
    await using opened = createDisposable(await openMongoStore({ url, log }));
    const { store } = opened;
    const connection = await mongoose.createConnection(url).asPromise();
    try {
      const services = connection.collection('services');
      const { insertedId } = await services.insertOne(plain('tickets', 3001, { authorizedRoles: 'reader' }));
      const line = `the document ${insertedId} is left alone: authorizedRoles: `;
      await eventually(
        () => lines,
        ([first]) => first?.startsWith(line) === true,
      );
      await services.insertOne(plain('orders', 3002));
      await eventually(
        () => store.view.services.size,
        (size) => size === 1,
      );
      await services.updateOne({ name: 'tickets' }, { $set: { authorizedRoles: ['reader'] } });
      await eventually(
        () => store.view.services.size,
        (size) => size === 2,
      );
      expect(lines).toHaveLength(1);
      await services.updateOne({ name: 'tickets' }, { $set: { authorizedRoles: 'reader' } });
      await eventually(
        () => lines.length,
        (count) => count === 2,
      );
    } finally {
      await connection.close();
    }
  },
);

const hostileValues: readonly unknown[] = [
  null,
  17,
  Number.NaN,
  '',
  'x'.repeat(100_000),
  [],
  {},
  { $gt: '' },
  { $where: 'sleep(1000)' },
  ['\u0000'],
  new Date(0),
  { nested: { nested: { nested: [] } } },
  true,
  '__proto__',
  new mongoose.Types.ObjectId(),
];

/** A good document with one field spoiled. */
function hostileDocument(random: () => number, index: number): mongo.Document {
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item;
  const document: Record<string, unknown> = plain(`bad-${index}`, 4_000 + (index % 1_000));
  const field = pick(['url', 'endpoints', 'authorizedRoles', 'lease', 'weight', 'metadata', 'reg', 'extra']);
  const value = pick(hostileValues.filter((one) => fitsNowhere(field, one)));
  return { ...document, [field]: value };
}

function fitsNowhere(field: string, value: unknown): boolean {
  if (field === 'extra') return true;
  if (field === 'authorizedRoles') return !(Array.isArray(value) && value.length === 0);
  if (field === 'weight') return value !== 17;
  if (field === 'metadata') return !isTexts(value);
  return true;
}

/** Names of operators are data: `{ $where: 'sleep(1000)' }` is metadata like any other. */
function isTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return (
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every((one) => typeof one === 'string')
  );
}
