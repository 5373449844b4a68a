// What people and other programs put into the database and the registry cannot even read: it is left alone, and nobody
// stops at it.
import { createRegistry, type Registry } from '@reg/registry';
import { mongo } from 'mongoose';
import { expect } from 'vitest';
import { type ServerKind, serverKinds, test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers(...serverKinds);

async function openWorld(server: ServerKind) {
  const url = urlOn(server);
  const client = new mongo.MongoClient(url);
  const db = client.db();
  const said: string[] = [];
  const open = async () => {
    const store = await openMongoStore({ url, log: (line) => void said.push(line) });
    return { store, registry: createRegistry({ store }) };
  };
  let opened = await open();
  return {
    db,
    said,
    registry: () => opened.registry,
    store: () => opened.store,
    services: db.collection<mongo.Document>('services'),
    async restart() {
      await opened.registry.close();
      opened = await open();
    },
    async [Symbol.asyncDispose]() {
      await opened.registry.close();
      await client.close();
    },
  };
}

const plain = (name: string, port: number, more: object = {}) => ({
  name,
  url: `/${name}`,
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  authorizedRoles: [],
  ...more,
});
const namesOf = (registry: Registry) =>
  registry
    .snapshot()
    .services.map(({ name }) => name)
    .sort();

/** As the shell and pymongo write it; JavaScript knows no such pattern. */
function pattern(options: string): mongo.BSON.BSONRegExp {
  const written = new mongo.BSON.BSONRegExp('(?i)tickets');
  return Object.assign(written, { options });
}

// Story: one document with a pattern that only other languages know ended every registry's stream, again and again:
// all writes were 503, no registry started, and what came before it was followed each time anew.
test.for(serverKinds)(
  'a document with a pattern that JavaScript does not know is reported, and all others count (%s)',
  async (server) => {
    await using world = await openWorld(server);
    await world.services.insertMany([
      plain('first', 3001),
      plain('odd', 3002, { _id: 'odd', x: pattern('') }),
      plain('odder', 3003, { _id: 'odder', metadata: { x: pattern('z') } }), // not even the library of BSON reads it
      plain('last', 3004),
    ]);
    const isSo = () =>
      eventually(
        () => [namesOf(world.registry()), world.store().invalidCount()] as const,
        ([names, count]) => names.length === 2 && count === 2,
      );
    const [names] = await isSo();
    expect(names).toEqual(['first', 'last']);
    const reported = world.store().invalid();
    expect(reported.map(({ id }) => id).sort()).toEqual(['odd', 'odder']);
    expect(reported.find(({ id }) => id === 'odder')).toMatchObject({
      path: 'metadata.x',
      message: expect.stringContaining('cannot be read'),
    });
    const { entries } = world.registry().history({ service: 'first' });
    expect(entries.map(({ kind }) => kind)).toEqual(['service-updated', 'instance-registered']);
    await world.restart();
    await isSo();
    await world.services.deleteMany({ _id: { $in: ['odd', 'odder'] } as never });
    await eventually(() => world.store().invalidCount() === 0);
  },
);

// Story: a tombstone that was none, an `_id` that looked like a type of BSON's, an entry of the history that was null:
// with any of them no registry started, and those that ran read everything anew for ever.
test.for(serverKinds)('what is none in the other collections is left alone (%s)', async (server) => {
  await using world = await openWorld(server);
  const { db, services, said } = world;
  const before = said.length;
  const { epoch } = world.registry().position();
  await db.collection('tombstones').insertOne({});
  await db
    .collection('tombstones')
    .insertOne({ _id: 'a/b' as never, service: 'a', instanceId: 'b', goneAt: 5 });
  await db.collection('writes').insertOne({ _id: 'x' as never, at: 'boom', notes: 5 });
  await db.collection('writes').insertOne({ _id: 'y' as never, notes: [null], operations: 7 });
  await db.collection('writes').insertOne({ _id: 'z' as never, operations: [{ data: 5 }] });
  await db.collection('history').insertOne({ epoch, last: 1, entries: [null, { revision: 1 }] });
  await db.collection('notes').insertOne({ epoch, last: 1, entries: [5] });
  const text = { $arrayToObject: [[{ k: '_bsontype', v: 'x' }]] };
  await db
    .collection('tombstones')
    .aggregate([
      { $limit: 1 },
      { $replaceWith: { _id: text, name: 'odd' } },
      { $merge: { into: 'services' } },
    ])
    .toArray();
  await services.insertOne(plain('last', 3001));
  const isSo = () =>
    eventually(
      () => [namesOf(world.registry()), world.store().invalidCount()] as const,
      ([names, count]) => names[0] === 'last' && count === 1,
    );
  await isSo();
  await world.restart();
  await isSo();
  await world.registry().register({ service: 'more', id: 'one' }, {
    ...plain('more', 3002),
    name: undefined,
    lease: 'none',
  } as never);
  expect(
    world
      .registry()
      .history({ limit: 100 })
      .entries.map(({ service }) => service),
  ).toContain('more');
  expect(said.slice(before).filter((line) => !/left alone|standalone/.test(line))).toEqual([]);
});

// Story: an ObjectId and the text of its digits counted as one document: the second one unlisted the first, and nobody
// was told.
test.for(serverKinds)(
  'an ObjectId and the text of its digits are two documents, and one instance can be only one of them (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const id = new mongo.ObjectId();
    const digits = id.toHexString();
    await world.services.insertOne(plain('tickets', 3001, { _id: id }));
    await eventually(() => namesOf(world.registry()).length === 1);
    await world.services.insertMany([
      plain('tickets', 3002, { _id: digits }),
      plain('orders', 3003, { _id: `${digits} (text)`, instanceId: 'a' }),
      plain(digits, 3004),
    ]);
    const isSo = async () => {
      await eventually(() => namesOf(world.registry()).length === 3 && world.store().invalidCount() === 1);
      const { instances } = world.registry().getService('tickets');
      expect(instances).toMatchObject([
        { instanceId: digits, endpoints: [{ url: 'http://127.0.0.1:3001' }] },
      ]);
      expect(world.store().invalid()).toMatchObject([
        {
          id: `${digits} (text)`,
          path: '_id',
          message: `is instance ${digits}, as the document ${digits} is`,
        },
      ]);
    };
    await isSo();
    await world.restart();
    await isSo();
    await world.services.deleteOne({ _id: id });
    await eventually(
      () => world.registry().getService('tickets').instances,
      ([first]) => first?.endpoints[0]?.url === 'http://127.0.0.1:3002',
    );
    expect(world.store().invalid()).toEqual([]);
  },
);

// Story: who ran kept the former paths that they knew, and who started took those that somebody had written.
test.for(serverKinds)('former paths edited by hand in definitions count at once (%s)', async (server) => {
  await using world = await openWorld(server);
  const { name: _, ...said } = plain('tickets', 3001, { lease: 'none' });
  await world.registry().register({ service: 'tickets', id: 'one' }, said as never);
  const definitions = world.db.collection<mongo.Document>('definitions');
  const former = () => world.registry().getService('tickets').formerUrls;
  await definitions.updateOne({ _id: 'tickets' as never }, { $set: { formerUrls: ['/old', '/older'] } });
  await eventually(former, (urls) => urls?.length === 2);
  await world.restart();
  expect(former()).toEqual(['/old', '/older']);
  await definitions.updateOne({ _id: 'tickets' as never }, { $unset: { formerUrls: '' } });
  await eventually(former, (urls) => urls === undefined);
  await world.restart();
  expect(former()).toBeUndefined();
});
