// Documents by hand that want what others have: all registries come to the same, and so does one that starts.
import { createRegistry } from '@reg/registry';
import type { RegistrationBody } from '@reg/schema';
import mongoose, { type mongo } from 'mongoose';
import { expect } from 'vitest';
import { type ServerKind, serverKinds, test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers(...serverKinds);

/** As many registries as the server takes, and one more each time that somebody asks what a new one says. */
async function openWorld(server: ServerKind) {
  const url = urlOn(server);
  const openOne = async () => {
    const store = await openMongoStore({ url, log: () => {} });
    return { store, registry: createRegistry({ store }) };
  };
  type Opened = Awaited<ReturnType<typeof openOne>>;
  let opened = await Promise.all(Array.from({ length: server === 'replica set' ? 2 : 1 }, openOne));
  const connection = await mongoose.createConnection(url).asPromise();
  if (!connection.db) throw new TypeError('the connection is not open');
  const { db } = connection;

  const saidBy = ({ store, registry }: Opened) => ({
    listed: Object.fromEntries(
      registry
        .snapshot()
        .services.map(({ name: service, url: path, instances }) => [
          service,
          [path, ...instances.map(({ instanceId }) => instanceId).sort()],
        ]),
    ),
    invalid: Object.fromEntries(store.invalid().map(({ id, path }) => [id, path])),
  });

  async function agreed(fits: (said: ReturnType<typeof saidBy>) => boolean) {
    const all = await eventually(
      () => opened.map(saidBy),
      (said) => said.every(fits),
      { withinMs: 30_000 },
    );
    expect(new Set(all.map((said) => JSON.stringify(said, inOrder))).size).toBe(1);
    return all[0];
  }

  return {
    db,
    services: db.collection<mongo.Document>('services'),
    get registry() {
      return (opened[0] as Opened).registry;
    },
    get store() {
      return (opened[0] as Opened).store;
    },
    /** Once all say so; and one that starts afterwards says it too. */
    async says(expected: Partial<ReturnType<typeof saidBy>>) {
      const text = JSON.stringify(expected, inOrder);
      const fits = (said: ReturnType<typeof saidBy>) =>
        JSON.stringify(
          Object.fromEntries(Object.keys(expected).map((key) => [key, said[key as keyof typeof said]])),
          inOrder,
        ) === text;
      const running = await agreed(fits);
      await this.openedAnew();
      expect(await agreed(fits)).toEqual(running);
    },
    /** @param meanwhile while no registry runs */
    async openedAnew(meanwhile = async () => {}) {
      await Promise.all(opened.map(({ registry }) => registry.close()));
      await meanwhile();
      opened = await Promise.all(Array.from(opened, openOne));
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
      await Promise.all(opened.map(({ registry }) => registry.close()));
    },
  };
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const plain = (_id: string, name: string, url: string, port: number) => ({
  _id,
  name,
  url,
  endpoints: [{ type: 'http-get', url: `http://127.0.0.1:${port}/query` }],
  authorizedRoles: ['tickets-query'],
});

const body = (url: string, port: number): RegistrationBody => ({
  url,
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  authorizedRoles: [],
});

test.for(serverKinds)(
  'a path that a living service holds: reported, not listed, and listed once it is free (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const held = await world.registry.register({ service: 'tickets', id: 'one' }, body('/tickets', 3001));
    await world.services.insertOne(plain('a', 'other', '/tickets', 3002) as never);
    const listed = { tickets: ['/tickets', 'one'] };
    await world.says({ listed, invalid: { a: 'url' } });
    await world.registry.unregister({ service: 'tickets', id: 'one' }, { generation: held.generation });
    await world.says({ listed: { other: ['/tickets', 'a'] }, invalid: {} });
  },
);

test.for(serverKinds)(
  'reserved paths are reported; / by hand is the operator’s own grant (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertMany([
      plain('a', 'inside', '/_reg/health', 3001),
      plain('b', 'web', '/', 3002),
    ] as never[]);
    await world.says({ listed: { web: ['/', 'b'] }, invalid: { a: 'url' } });
  },
);

test.for(serverKinds)(
  'two names of one slug, two documents of one address: one is listed, the other reported (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertOne(plain('a', 'Tickets Query', '/a', 3001) as never);
    await eventually(
      () => world.store.view.services.size,
      (size) => size === 1,
    );
    await world.services.insertMany([
      plain('b', 'tickets-query', '/b', 3002),
      plain('c', 'third', '/c', 3001),
    ] as never[]);
    await world.says({
      listed: { 'Tickets Query': ['/a', 'a'] },
      invalid: { b: 'name', c: 'endpoints.0.url' },
    });
    await world.services.deleteOne({ _id: 'a' as never });
    await world.says({ listed: { 'tickets-query': ['/b', 'b'], third: ['/c', 'c'] }, invalid: {} });
  },
);

test.for(serverKinds)(
  'of two by hand at one address the lower _id is listed, also where it came later (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertOne(plain('b', 'tickets', '/tickets', 3001) as never);
    await eventually(
      () => world.store.view.services.size,
      (size) => size === 1,
    );
    await world.services.insertOne(plain('a', 'other', '/other', 3001) as never);
    await world.says({ listed: { other: ['/other', 'a'] }, invalid: { b: 'endpoints.0.url' } });
  },
);

test.for(serverKinds)(
  'an edit that disagrees is reported, and counts once its document is the only one (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertMany([
      plain('a', 'tickets', '/tickets', 3001),
      plain('b', 'tickets', '/tickets', 3002),
    ] as never[]);
    await eventually(
      () => world.store.view.leases.size,
      (size) => size === 2,
    );
    await world.services.updateOne({ _id: 'a' as never }, { $set: { url: '/moved' } });
    await world.says({ listed: { tickets: ['/tickets', 'a', 'b'] }, invalid: { a: 'url' } });
    await world.services.deleteOne({ _id: 'b' as never });
    await world.says({ listed: { tickets: ['/moved', 'a'] }, invalid: {} });
  },
);

test.for(serverKinds)(
  'an edit to a path that another one holds is reported, and the former path stays (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertMany([
      plain('a', 'tickets', '/tickets', 3001),
      plain('b', 'orders', '/orders', 3002),
    ] as never[]);
    await eventually(
      () => world.store.view.leases.size,
      (size) => size === 2,
    );
    await eventually(
      () => world.db.collection('definitions').countDocuments(),
      (count) => count === 2,
    );
    await world.services.updateOne({ _id: 'a' as never }, { $set: { url: '/orders' } });
    await world.says({
      listed: { tickets: ['/tickets', 'a'], orders: ['/orders', 'b'] },
      invalid: { a: 'url' },
    });
  },
);

test.for(serverKinds)('definitions edited by hand break nothing and are put right (%s)', async (server) => {
  await using world = await openWorld(server);
  await world.registry.register({ service: 'tickets', id: 'one' }, body('/tickets', 3001));
  const definitions = world.db.collection<mongo.Document>('definitions');
  const listed = { tickets: ['/tickets', 'one'] };
  const edits = [
    { $set: { url: 17 } },
    { $set: { authorizedRoles: { $literal: 'x' } } },
    { $unset: { write: '' } },
    { $set: { url: '/elsewhere' } },
    { $set: { url: 'no path', write: 3, access: null } },
  ];
  for (const edit of edits) {
    await definitions.updateOne({ _id: 'tickets' as never }, edit);
    await eventually(
      () => definitions.findOne({ _id: 'tickets' as never }),
      (document) => document?.url === '/tickets' && typeof document.write === 'string',
      { withinMs: 30_000 },
    );
    await world.says({ listed, invalid: {} });
  }
  await definitions.insertOne({ _id: 'nobody' as never, path: 17, slug: [] });
  await world.says({ listed, invalid: { 'definitions/nobody': 'url' } });
  await world.registry.register({ service: 'tickets', id: 'two' }, body('/tickets', 3002));
});

test.for(serverKinds)(
  'collections and the database dropped by hand: all is read anew, and works as before (%s)',
  { timeout: 120_000 },
  async (server) => {
    await using world = await openWorld(server);
    const { epoch } = world.registry.position();
    const drops = [
      () => world.db.dropCollection('services'),
      () => world.db.dropCollection('definitions'),
      () => world.db.dropCollection('state'),
      () => world.db.dropDatabase(),
    ];
    for (const [index, drop] of drops.entries()) {
      await world.registry.register({ service: 'tickets', id: `i${index}` }, body('/tickets', 3000 + index));
      await drop();
      const indexes = async () => {
        const known = await world.db
          .collection('definitions')
          .indexes()
          .catch(() => []);
        return known.map(({ name }) => name).sort();
      };
      await eventually(indexes, (names) => names.length === 3, { withinMs: 20_000 });
      await eventually(
        () => world.db.collection<mongo.Document>('state').findOne({ _id: 'epoch' as never }),
        (kept) => kept?.epoch === epoch,
        { withinMs: 20_000 },
      );
      const again = await eventually(
        () =>
          world.registry
            .register({ service: 'orders', id: `i${index}` }, body('/orders', 4000 + index))
            .catch((error: Error) => error),
        (answer) => !(answer instanceof Error),
        { withinMs: 20_000 },
      );
      expect(again).toMatchObject({ epoch });
    }
    await world.says({ listed: { orders: ['/orders', 'i3'] } });
  },
);

test('an update whose post-image is not kept: everything is read anew', async () => {
  await using world = await openWorld('replica set');
  await world.services.insertOne(plain('a', 'tickets', '/tickets', 3001) as never);
  await eventually(
    () => world.store.view.services.size,
    (size) => size === 1,
  );
  await world.db.command({ collMod: 'services', changeStreamPreAndPostImages: { enabled: false } });
  await world.services.updateOne({ _id: 'a' as never }, { $set: { url: '/moved' } });
  await world.says({ listed: { tickets: ['/moved', 'a'] }, invalid: {} });
});

// Story: who lost its race is taken away by whoever saw it; the registry that started in between listed it, and where
// all others were killed before they had taken it away, it stayed.
test.for(serverKinds)(
  'who starts does not list a run either that was written down after it had ended: its document goes (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { registry, services } = world;
    const one = { service: 'tickets', id: 'one' };
    const { generation } = await registry.register(one, { ...body('/tickets', 3001), runId: 'run-1' });
    await registry.register({ ...one, id: 'two' }, body('/tickets', 3002));
    const late = await services.findOne({ 'reg.generation': generation });
    await registry.unregister(one, { generation });
    await world.openedAnew(async () => {
      await services.insertOne({ ...late });
    });
    const listed = { tickets: ['/tickets', 'two'] };
    await world.says({ listed, invalid: {} });
    expect(await services.countDocuments()).toBe(1);
  },
);

// Story: the document waited for the address, was tried again at once, counted as what a registry had just written and
// lost, and was deleted, without a line.
test.for(serverKinds)(
  'a registered instance edited to the address of another is reported and left alone, and listed once that is mended (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { registry, services } = world;
    await registry.register({ service: 'tickets', id: 'one' }, { ...body('/tickets', 3001), lease: 'none' });
    await registry.register({ service: 'tickets', id: 'two' }, { ...body('/tickets', 3002), lease: 'none' });
    const two = { 'reg.id': 'two' };
    await services.updateOne(two, { $set: { 'endpoints.0.url': 'http://127.0.0.1:3001' } });
    const invalid = { 'tickets/two': 'endpoints.0.url' };
    await world.says({ listed: { tickets: ['/tickets', 'one'] }, invalid });
    await services.updateOne(two, { $set: { 'endpoints.0.url': 'http://127.0.0.1:3003' } });
    await world.says({ listed: { tickets: ['/tickets', 'one', 'two'] }, invalid: {} });
  },
);

// Story: its client registered again, met the document that was left alone, and heard for ever that others had changed
// the same twenty times meanwhile.
test.for(serverKinds)(
  'an instance whose document somebody broke registers again, and it is right (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const one = { service: 'tickets', id: 'one' };
    const own = { _id: 'tickets/one' as never };
    const breaks = [{ url: 'tickets' }, { 'endpoints.0.url': 'http://127.0.0.1:3002' }, { reg: 5 }];
    await world.registry.register(
      { service: 'other', id: 'two' },
      { ...body('/other', 3002), lease: 'none' },
    );
    for (const edit of breaks) {
      await world.registry.register(one, { ...body('/tickets', 3001), lease: 'none' });
      await world.services.updateOne(own, { $set: edit });
      await world.says({ listed: { other: ['/other', 'two'] } });
      await world.registry.register(one, { ...body('/tickets', 3001), lease: 'none' });
      await world.says({ listed: { other: ['/other', 'two'], tickets: ['/tickets', 'one'] }, invalid: {} });
    }
  },
);

test.for(serverKinds)(
  'who registers where somebody gave another instance the _id hears so (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const made = { ...plain('tickets/one', 'tickets', '/tickets', 3001), instanceId: 'by-hand' };
    await world.services.insertOne({ ...made, authorizedRoles: [] } as never);
    const listed = { tickets: ['/tickets', 'by-hand'] };
    await world.says({ listed, invalid: {} });
    await expect(
      world.registry.register({ service: 'tickets', id: 'one' }, body('/tickets', 3002)),
    ).rejects.toMatchObject({ code: 'registration_conflict', message: expect.stringContaining('by-hand') });
    await world.says({ listed, invalid: {} });
  },
);
