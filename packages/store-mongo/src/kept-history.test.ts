// Several registries over one database give one history, and it outlives each of them.
import { createHistory, createRegistry, createSystemClock, createView, type Registry } from '@reg/registry';
import { createFakeClock } from '@reg/registry/testing';
import type { HistoryEntry, RegistrationBody } from '@reg/schema';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect } from 'vitest';
import { startDatabaseLine } from '../../../tests/support/database-line.ts';
import { freshName, test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { startRegistry } from '../../../tests/support/stack.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import type { HistoryDocument } from './documents.ts';
import { startKeptHistory } from './kept-history.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers('replica set');
let client: mongo.MongoClient;

beforeAll(() => {
  client = new mongo.MongoClient(urlOn('replica set', 'admin'));
});

afterAll(() => client?.close());

const body = (port: number): RegistrationBody => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  authorizedRoles: ['reader'],
  lease: 'none',
});
const one = { service: 'tickets', id: 'one' };
const ann = { by: 'sub:ann', from: '192.0.2.1' };

function fresh() {
  const name = freshName();
  const url = urlOn('replica set', name);
  const db = client.db(name);
  return {
    url,
    db,
    open: async () => createRegistry({ store: await openMongoStore({ url }) }),
    async written(collection = 'history') {
      const documents = await db.collection<HistoryDocument>(collection).find().toArray();
      const entries = documents.flatMap(({ entries }) => entries);
      return entries.sort((one, other) => one.revision - other.revision || one.index - other.index);
    },
  };
}

const historyOf = (registry: Registry) => registry.history({ limit: 1_000 }).entries;
const kindsOf = (entries: readonly HistoryEntry[]) => entries.map(({ kind, by }) => `${kind} ${by}`);

/** What all of them say, once they say the same and so many. */
async function agreed(registries: readonly Registry[], count: number) {
  const texts = () => registries.map((registry) => JSON.stringify(historyOf(registry)));
  await eventually(
    () => registries.map(historyOf),
    (all) => new Set(texts()).size === 1 && all[0]?.length === count,
  );
  return registries[0] ? historyOf(registries[0]) : [];
}

test('whoever is asked, the history is the same: who and from where, by whichever registry, and by hand', async () => {
  const { db, open, written } = fresh();
  const registries = [await open(), await open()];
  const [first, second] = registries as [Registry, Registry];
  try {
    await first.register(one, body(3001), { origin: ann });
    await eventually(() => second.history().entries.length === 2);
    await second.unregister(one, { force: true }, { reason: 'exit-code', origin: { by: 'operator' } });
    const byHand = {
      name: 'Orders',
      url: '/orders',
      endpoints: [{ type: 'http', url: 'http://127.0.0.1:1' }],
    };
    await db.collection('services').insertOne({ ...byHand, authorizedRoles: [] });
    await eventually(() => first.history({ service: 'Orders' }).entries.length === 2);
    await first.addNotes([{ service: 'tickets', event: 'check-failing', text: 'refused' }], { origin: ann });

    const entries = await agreed(registries, 7);
    expect(kindsOf(entries)).toEqual([
      'service-updated sub:ann',
      'instance-registered sub:ann',
      'instance-unregistered operator',
      'service-removed operator',
      'service-updated hand',
      'instance-registered hand',
      'note sub:ann',
    ]);
    expect(entries[2]).toMatchObject({ reason: 'exit-code' });
    expect(entries.map(({ from }) => from)).toEqual([
      ann.from,
      ann.from,
      undefined,
      undefined,
      undefined,
      undefined,
      ann.from,
    ]);

    // Each is written down once, whoever did.
    await eventually(written, ({ length }) => length === 6);
    await eventually(
      () => written('notes'),
      ({ length }) => length === 1,
    );
    // Where two came first, it is there twice, and told once.
    const twice = await db
      .collection('history')
      .find({}, { projection: { _id: 0 } })
      .toArray();
    await db.collection('history').insertMany(twice);
    const third = await open();
    registries.push(third);
    expect(await agreed(registries, 7)).toEqual(entries);
  } finally {
    await Promise.all(registries.map((registry) => registry.close()));
  }
});

// Story: a hand edit leaves our own notes in the document, so the last registrant looked like the one who made it.
test('who edits by hand a document that somebody registered is not taken for that one', async () => {
  const { db, open } = fresh();
  const registry = await open();
  try {
    await registry.register(one, body(3001), { origin: ann });
    await db.collection('services').updateOne({ name: 'tickets' }, { $set: { version: '2' } });
    await eventually(
      () => historyOf(registry).at(-1),
      (entry) => entry?.kind === 'instance-updated' && entry.by === 'hand' && entry.from === undefined,
    );
    await registry.drain(one, { force: true }, { origin: { by: 'operator' } });
    expect(historyOf(registry).at(-1)).toMatchObject({ kind: 'instance-drained', by: 'operator' });
  } finally {
    await registry.close();
  }
});

test('killed at once, a registry loses nothing of what another one saw', async () => {
  const { url, open, written } = fresh();
  const other = await open();
  try {
    await using folder = await temporaryFolder();
    await using killed = await startRegistry(folder.path, 0, { REG_STORE: url });
    const answered = await fetch(`${killed.url}/v1/services/tickets/instances/one`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body(3001)),
    });
    expect(answered.status).toBe(201);
    killed.process.kill('SIGKILL');
    await killed.process.ended;

    await eventually(written, ({ length }) => length === 2, { withinMs: 10_000 });
    const entries = await written();
    expect(entries.map(({ kind, from }) => [kind, from])).toEqual([
      ['service-updated', '127.0.0.1'],
      ['instance-registered', '127.0.0.1'],
    ]);
    expect(entries.map(({ index, ...entry }) => entry)).toEqual(historyOf(other));
  } finally {
    await other.close();
  }
});

// Story: a registry that stood still just before it read once more what others had written down read there what its
// own changes had yet to tell it, and had each of them twice from then on; the last one got another place, too, and
// was written down twice for everybody.
test('what others wrote down before it was told here is there once', async () => {
  const { db } = fresh();
  const collections = {
    history: db.collection<HistoryDocument>('history'),
    notes: db.collection<HistoryDocument>('notes'),
  };
  const view = createView({ epoch: 'one', revision: 1 });
  const history = createHistory(() => view.position);
  const clock = createSystemClock();
  const keptHistory = startKeptHistory({ collections, history, view, clock, log: console.error });
  const removed = (revision: number) => ({
    revision,
    at: 0,
    changes: [{ kind: 'service-removed' as const, service: `of-${revision}` }],
  });
  const entries = [1, 2, 3].map((revision) => {
    const [placed] = createHistory(() => view.position).append(removed(revision));
    return { index: 0, ...placed?.entry } as HistoryDocument['entries'][number];
  });
  await collections.history.insertOne({ epoch: 'one', last: 3, entries });
  await keptHistory.load();
  for (const revision of [2, 3]) {
    view.advance(revision);
    const [placed] = history.append(removed(revision));
    expect(placed).toMatchObject({ revision, index: 0 });
  }
  expect(history.read({}).entries.map(({ service }) => service)).toEqual(['of-1', 'of-2', 'of-3']);
  await keptHistory.close();
});

// Story: a registry started while the database was away now and then. It was away, too, when the registry read once
// more what others had meanwhile written down of the time before, and that was missing in its history for good.
test('what others write down late is there, also where the database was away when it was read again', async () => {
  const { db, url } = fresh();
  await using line = await startDatabaseLine(url.replace(/(?<=\d)\/.*/, ''));
  const far = new mongo.MongoClient(line.urlOf(db.databaseName), { serverSelectionTimeoutMS: 200 });
  const collections = {
    history: far.db().collection<HistoryDocument>('history'),
    notes: far.db().collection<HistoryDocument>('notes'),
  };
  const view = createView({ epoch: 'one', revision: 9 });
  const history = createHistory(() => view.position);
  const clock = createFakeClock();
  const said: string[] = [];
  const keptHistory = startKeptHistory({
    collections,
    history,
    view,
    clock,
    log: (text) => void said.push(text),
  });
  try {
    await keptHistory.load();
    line.cut();
    await clock.advance(4_000);
    await eventually(() => said.some((line) => line.startsWith('the history could not be read')));
    line.heal();
    const told = (service: string, revision: number) =>
      db.collection<HistoryDocument>('history').insertOne({
        epoch: 'one',
        last: revision,
        entries: [{ index: 0, revision, at: 0, kind: 'service-removed', service }],
      });
    await told('late', 2);
    await clock.advance(4_000);
    await told('later', 3); // by a registry that was cut off itself
    await clock.advance(12_000);
    expect(history.read({}).entries.map(({ service }) => service)).toEqual(['late', 'later']);
  } finally {
    await keptHistory.close();
    await far.close();
  }
});
