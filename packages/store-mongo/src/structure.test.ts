// Indexes and collections that people made, dropped or changed: told by `reg verify`, refused in one line at a start.
import { isRegError } from '@reg/schema';
import mongoose, { type mongo } from 'mongoose';
import { expect } from 'vitest';
import { type ServerKind, serverKinds, test, useServers } from '../../../tests/support/database-servers.ts';
import { openMongoStore } from './mongo-store.ts';
import { verifyMongoStore } from './verify.ts';

const urlOn = useServers(...serverKinds);

/** A database that a registry was at, once. */
async function openWorld(server: ServerKind) {
  const url = urlOn(server);
  const openAndClose = async () => (await openMongoStore({ url, log: () => {} })).close();
  await openAndClose();
  const connection = await mongoose.createConnection(url).asPromise();
  const { db } = connection;
  if (!db) throw new TypeError('the connection is not open');
  return {
    db,
    openAndClose,
    findings: async () => (await verifyMongoStore(url)).findings,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

const at = (collection: string, path: string, message: string) => ({ collection, id: '', path, message });

test.for(serverKinds)('a database as a registry left it: nothing is found (%s)', async (server) => {
  await using world = await openWorld(server);
  expect(await world.findings()).toEqual([]);
});

test.for(serverKinds)(
  'what lacks is told; nothing is changed by that, and a start makes it (%s)',
  async (server) => {
    await using world = await openWorld(server);
    const { db } = world;
    await db.collection('definitions').dropIndex('path_1');
    await db.collection('tombstones').drop();
    const lacking = [
      at('definitions', 'index path_1', 'is missing: a registry that starts makes it'),
      at('tombstones', '', 'is missing: a registry that starts makes it'),
    ];
    expect(await world.findings()).toEqual(lacking);
    expect(await world.findings()).toEqual(lacking);
    await world.openAndClose();
    expect(await world.findings()).toEqual([]);
  },
);

test('post-images that are not kept are told, where there is a change stream', async () => {
  await using world = await openWorld('replica set');
  await world.db.command({ collMod: 'services', changeStreamPreAndPostImages: { enabled: false } });
  expect(await world.findings()).toEqual([
    at('services', 'changeStreamPreAndPostImages', 'is not enabled: a registry that starts does it'),
  ]);
});

test('an index that nobody needs is let alone, one that refuses or deletes documents is told', async () => {
  await using world = await openWorld('standalone');
  const services = world.db.collection('services');
  await services.createIndex({ url: 1 });
  await services.createIndex({ 'reg.id': 1 }, { unique: true });
  await services.createIndex({ seenAt: 1 }, { expireAfterSeconds: 60 });
  expect(await world.findings()).toEqual([
    at('services', 'index reg.id_1', "is none of a registry's, and refuses documents"),
    at('services', 'index seenAt_1', "is none of a registry's, and deletes documents"),
  ]);
  await world.openAndClose();
});

// Story: with an index of the same name and other options the line at the start was the server's own, with all
// options of both indexes, and did not say what to do.
test.for<
  [
    what: string,
    collection: string,
    key: mongo.IndexSpecification,
    options: mongo.CreateIndexesOptions,
    why: string,
  ]
>([
  ['not unique', 'definitions', { path: 1 }, {}, 'unique is not set, and must be true'],
  [
    'another time',
    'leases',
    { renewedAt: 1 },
    { expireAfterSeconds: 5 },
    'expireAfterSeconds is 5, and must be 172800',
  ],
  [
    'other fields',
    'definitions',
    { path: 1, _id: 1 },
    { name: 'path_1', unique: true },
    'is of {"path":1,"_id":1}, and must be of {"path":1}',
  ],
])('an index that is %s: told by verify, and one line at the start that says what to do', async (wrong) => {
  const [, collection, key, options, why] = wrong;
  await using world = await openWorld('replica set');
  const [field] = Object.keys(key);
  const indexes = world.db.collection(collection);
  await indexes.dropIndex(`${field}_1`);
  await indexes.createIndex(key, options);
  const name = `index ${field}_1`;
  expect(await world.findings()).toContainEqual(at(collection, name, why));
  const refused: unknown = await world.openAndClose().catch((error: unknown) => error);
  if (!isRegError(refused)) throw new TypeError('it is refused', { cause: refused });
  const database = world.db.databaseName;
  expect(refused.code).toBe('store_unavailable');
  expect(refused.message).toBe(
    `${name} of ${collection} in the database ${database}: ${why}; drop it, and the registry makes its own`,
  );
  await indexes.dropIndex(`${field}_1`);
  await world.openAndClose();
  expect(await world.findings()).toEqual([]);
});

test('an index that is right under another name is right', async () => {
  await using world = await openWorld('replica set');
  const definitions = world.db.collection('definitions');
  await definitions.dropIndex('path_1');
  await definitions.createIndex({ path: 1 }, { unique: true, name: 'mine' });
  expect(await world.findings()).toEqual([]);
  await world.openAndClose();
});

// Story: a typing error in the name of the database, or too early a look, ended with '"atClusterTime" had the wrong type'.
test.for(serverKinds)(
  'a database that no registry was at: each collection is told as missing (%s)',
  async (server) => {
    const url = urlOn(server);
    const { counts, findings } = await verifyMongoStore(url);
    expect(counts).toEqual({ services: 0, definitions: 0, leases: 0, tombstones: 0 });
    expect(new Set(findings.map(({ message }) => message))).toEqual(
      new Set(['is missing: a registry that starts makes it']),
    );
    expect(findings).toHaveLength(8);
    const connection = await mongoose.createConnection(url).asPromise();
    await connection.collection('services').insertOne({ name: 'tickets' });
    await connection.close();
    expect((await verifyMongoStore(url)).counts.services).toBe(1);
  },
);
