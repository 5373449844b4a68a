// What only a standalone server needs: one registry at a time, numbers of its own, and writes of several
// documents that a crash does not cut in two.
import { createRegistry } from '@reg/registry';
import { createFakeClock } from '@reg/registry/testing';
import type { RegistrationBody } from '@reg/schema';
import mongoose from 'mongoose';
import { expect } from 'vitest';
import { test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { collectionsOf, type TombstoneDocument } from './documents.ts';
import { createIntents, type IntendedOperation } from './intents.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers('standalone');
const newUrl = () => urlOn('standalone');
const quiet = () => {};

async function open(url: string, options: object = {}) {
  const store = await openMongoStore({ url, log: quiet, ...options });
  const registry = createRegistry({ store });
  return { store, registry, [Symbol.asyncDispose]: () => registry.close() };
}

async function connectTo(url: string) {
  const connection = await mongoose.createConnection(url).asPromise();
  if (!connection.db) throw new TypeError('the connection is not open');
  return {
    db: connection.db,
    collections: collectionsOf(connection.db),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

function body(port: number, more: Partial<RegistrationBody> = {}): RegistrationBody {
  const endpoints = [{ type: 'http' as const, url: `http://127.0.0.1:${port}` }];
  return { url: '/tickets', endpoints, authorizedRoles: [], ...more };
}

const one = { service: 'tickets', id: 'one' };

test('log and health say that it is standalone', async () => {
  const lines: string[] = [];
  await using opened = await open(newUrl(), { log: (line: string) => lines.push(line) });
  expect(opened.registry.health()).toMatchObject({ status: 'ok', store: 'mongodb standalone' });
  expect(lines).toEqual([
    expect.stringMatching(/^the database is a standalone server: it takes one registry/),
  ]);
});

test('a second registry is refused with one line that says who is there; the first one goes on', async () => {
  const url = newUrl();
  await using first = await open(url);
  const second = await openMongoStore({ url, log: quiet }).catch((error: Error) => error);
  expect(second).toBeInstanceOf(Error);
  expect((second as Error).message).toMatch(
    new RegExp(
      `the database is a standalone server, which takes one registry, and process ${process.pid} on `,
    ),
  );
  await first.registry.register(one, body(3001));
  expect(first.registry.getService('tickets').instances).toHaveLength(1);
});

test('a lock that nobody renews is taken over; who lost it writes nothing more, and comes back when it is free', async () => {
  const url = newUrl();
  const clock = createFakeClock(Date.now()); // it stands still, and with it the renewals
  const lines: string[] = [];
  await using first = await open(url, { clock, log: (line: string) => lines.push(line) });
  await first.registry.register(one, body(3001));
  {
    await using second = await open(url);
    await second.registry.register({ service: 'tickets', id: 'two' }, body(3002));
    await clock.advance(5_000);
    await expect(
      first.registry.register({ service: 'tickets', id: 'three' }, body(3003)),
    ).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(lines.join('\n')).toContain('another registry has taken the database');
    expect(second.registry.getService('tickets').instances).toHaveLength(2);
  }
  const third = () =>
    first.registry.register({ service: 'tickets', id: 'three' }, body(3003)).catch((error: Error) => error);
  await eventually(third, (answer) => !(answer instanceof Error), { withinMs: 20_000 });
  const listed = first.registry.getService('tickets').instances.map(({ instanceId }) => instanceId);
  expect(listed.sort()).toEqual(['one', 'three', 'two']);
}, 60_000);

test('revisions go on above all before, whatever the clock of the database says', async () => {
  const url = newUrl();
  let revision: number;
  {
    await using opened = await open(url, { databaseNow: () => new Date('2030-01-01') });
    ({ revision } = await opened.registry.register(one, body(3001)));
  }
  await using again = await open(url, { databaseNow: () => new Date('2026-01-01') });
  expect(again.registry.position().revision).toBeGreaterThanOrEqual(revision);
  const next = await again.registry.register(one, body(3001, { runId: 'another' }));
  expect(next.generation).toBeGreaterThan(revision);
});

/** What unregistering the last instance of a service does. */
function goodbye(write: string): IntendedOperation[] {
  const tombstone: TombstoneDocument = {
    _id: 'tickets/one',
    service: 'tickets',
    instanceId: 'one',
    runId: 'run-1',
    generation: 1,
    supersededRuns: ['run-1'],
    leaseMs: 10_000,
    kind: 'instance-unregistered',
    goneAt: new Date(),
    write: 'cut-1',
  };
  return [
    { kind: 'delete-instance', before: { id: 'tickets/one', write } },
    { kind: 'bury', tombstone },
    { kind: 'delete-definition', name: 'tickets', before: write },
  ];
}

test('a write of several documents that a crash cut in two is done by whoever opens the database next', async () => {
  const url = newUrl();
  {
    await using opened = await open(url);
    await opened.registry.register(one, body(3001, { runId: 'run-1' }));
  }
  await using database = await connectTo(url);
  const { collections } = database;
  const { reg } = (await collections.services.findOne({ _id: 'tickets/one' })) ?? {};
  const intents = createIntents(collections, {
    carryOut: () => Promise.reject(new Error('the process ends here')),
  });
  await expect(
    intents.carryOut({ write: 'cut-1', at: Date.now(), operations: goodbye(reg?.write ?? '') }),
  ).rejects.toThrow('the process ends here');
  expect(await collections.services.countDocuments()).toBe(0);
  expect(await collections.definitions.countDocuments()).toBe(1);

  await using again = await open(url);
  expect([...again.store.view.services.keys()]).toEqual([]);
  expect(await collections.definitions.countDocuments()).toBe(0);
  expect(await collections.tombstones.countDocuments()).toBe(1);
  expect(await collections.writes.countDocuments()).toBe(0);
  await expect(again.registry.register(one, body(3001, { runId: 'run-1' }))).rejects.toMatchObject({
    code: 'generation_superseded',
  });
});

test('what is written down and not done is not forgotten: the server keeps it until it is', async () => {
  const url = newUrl();
  await using opened = await open(url);
  await using database = await connectTo(url);
  const { collections } = database;
  const { authorizedRoles } = body(3001);
  await opened.registry.register(one, body(3001));
  await opened.registry.register({ service: 'tickets', id: 'two' }, body(3002));
  // A document that the registry can not be told of in time: its write is refused, and decided anew.
  await collections.services.updateOne({ _id: 'tickets/two' }, { $set: { 'reg.write': 'by-hand' } });
  await opened.registry.register(one, body(3001, { authorizedRoles: ['other'], redefine: true }));
  await opened.registry.unregister({ service: 'tickets', id: 'two' }, { force: true });
  expect(opened.registry.getService('tickets')).toMatchObject({
    authorizedRoles: ['other'],
    instances: [{ instanceId: 'one' }],
  });
  expect(await collections.writes.countDocuments()).toBe(0);
  expect(authorizedRoles).toEqual([]);
});

// Story: everything was read 2.5 times a second, or as often as a quarter of the time allowed: of 100,000 documents a
// hand edit was seen after 2 to 4 s, and an idle registry spent an eighth of a CPU.
test('while nobody writes nothing is read; what is written by hand is looked for at once, and in any case in time', async () => {
  const url = newUrl();
  const clock = createFakeClock(Date.now());
  await using opened = await open(url, { clock });
  await using database = await connectTo(url);
  const { db } = database;
  const tick = async () => {
    await clock.advance(200);
    await db.command({ ping: 1 });
    return reads();
  };
  const reads = () =>
    db.collection('system.profile').countDocuments({ op: 'query', ns: `${db.databaseName}.services` });
  await db.command({ profile: 2 });
  const first = await eventually(tick, (count) => count > 0);
  for (let ticks = 0; ticks < 20; ticks++) expect(await tick()).toBe(first);

  await db.collection('services').insertOne({ name: 'by-hand', ...body(3001) });
  const listed = async () => {
    await tick();
    return opened.store.view.services.size;
  };
  await eventually(listed, (size) => size === 1);

  const before = await eventually(tick, (count) => count > first);
  await clock.advance(60_000);
  await eventually(tick, (count) => count > before);
});

// Story: what was in the collection was listed on, until somebody wrote to it: the server has no counts of what is gone.
test('services dropped by hand are listed no more, though nobody writes', async () => {
  const url = newUrl();
  const clock = createFakeClock(Date.now());
  await using opened = await open(url, { clock });
  await using database = await connectTo(url);
  await opened.registry.register(one, body(3001, { lease: 'none' }));
  await database.db.dropCollection('services');
  const listed = async () => {
    await clock.advance(200);
    await database.db.command({ ping: 1 });
    return opened.registry.snapshot().services.flatMap(({ instances }) => instances);
  };
  await eventually(listed, ({ length }) => length === 0);
});
