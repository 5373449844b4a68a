// What of leases is written down: nothing before the first renewal; then all renewals that were gathered in one
// statement, which no value in it may turn into another one, and no late word may turn back.
import { createRegistry, createSystemClock, instanceKey, type Registry } from '@reg/registry';
import { mongo } from 'mongoose';
import { expect } from 'vitest';
import { test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { createLaterClock } from '../../../tests/support/later-clock.ts';
import type { LeaseDocument } from './documents.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers('replica set');

async function open(clock = createSystemClock()) {
  const url = urlOn('replica set');
  const client = await new mongo.MongoClient(url).connect();
  const openAnother = async () => createRegistry({ clock, store: await openMongoStore({ url, clock }) });
  const registry = await openAnother();
  return {
    registry,
    openAnother,
    leases: client.db().collection<LeaseDocument>('leases'),
    async [Symbol.asyncDispose]() {
      await registry.close();
      await client.close();
    },
  };
}

const bodyOf = (port: number, ttlMs = 60_000) => ({
  url: `/${port}`,
  endpoints: [{ type: 'http' as const, url: `http://127.0.0.1:${port}` }],
  authorizedRoles: [],
  lease: { ttlMs },
});

const register = async (registry: Registry, service: string, port: number, ttlMs?: number) => {
  const { generation } = await registry.register({ service, id: 'one' }, bodyOf(port, ttlMs));
  return { service, id: 'one', generation };
};

// In a pipeline `$name` is a field and `$$NOW` a variable, `a.b` a path.
test.each(['$generation', '$$NOW', '$', 'a.b', '{"$literal":1}'])(
  'the lease of a service named %s is written under its name',
  async (service) => {
    await using opened = await open();
    const renewal = await register(opened.registry, service, 3001);
    await opened.registry.renewMany([renewal]);
    const kept = () => opened.leases.find().toArray();
    const [lease] = await eventually(kept, (all) => all.length > 0);
    expect(lease).toEqual({
      _id: `${service}/one`,
      generation: renewal.generation,
      renewedAt: expect.any(Date),
    });
  },
);

test('what a later run, or a later moment, has written stays', async () => {
  await using opened = await open();
  const { registry, leases } = opened;
  const first = await register(registry, 'later-run', 3001);
  const second = await register(registry, 'later-moment', 3002);
  await registry.renewMany([first, second]);
  await eventually(async () => (await leases.countDocuments()) === 2);
  const moment = new Date();
  const [hourAgo, inAnHour] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)] as const;
  const newer = first.generation + 1;
  await leases.updateOne({ _id: 'later-run/one' }, { $set: { generation: newer, renewedAt: hourAgo } });
  await leases.updateOne({ _id: 'later-moment/one' }, { $set: { renewedAt: inAnHour } });

  const marksTheFlush = await register(registry, 'marks-the-flush', 3003);
  await registry.renewMany([first, second, marksTheFlush]);
  await eventually(async () => (await leases.countDocuments({ renewedAt: { $gt: moment } })) === 2);
  expect(await leases.findOne({ _id: 'later-run/one' })).toMatchObject({
    generation: newer,
    renewedAt: hourAgo,
  });
  expect(await leases.findOne({ _id: 'later-moment/one' })).toMatchObject({ renewedAt: inAnHour });
});

// Story: it was answered, and its registry died before it had written it down; the next renewal would have come too
// late. So whoever was answered has half a lease, whatever becomes of who answered.
test('a renewal that others must know of before the next one is written down when it is answered', async () => {
  const clock = createLaterClock();
  await using opened = await open(clock);
  const { registry, openAnother, leases } = opened;
  const early = await register(registry, 'early', 3001);
  const late = await register(registry, 'late', 3002);
  const never = await register(registry, 'never', 3003);
  const kept = async () => (await leases.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
  clock.laterMs += 31_000;
  await registry.renew(late, late.generation);
  expect(await kept()).toEqual(['late/one']);

  clock.laterMs = 0; // the other one sees all three begin now, and knows nothing of when they did
  const other = await openAnother();
  try {
    await other.renewMany([early]);
    expect(await kept()).toEqual(['early/one', 'late/one']);
    await other.register({ service: 'never', id: 'one' }, { ...bodyOf(3003), generation: never.generation });
    expect(await kept()).toEqual(['early/one', 'late/one', 'never/one']);
  } finally {
    await other.close();
  }
});

test.each(['never', 'by a former run'])('a lease that was renewed %s ends on time', async (renewed) => {
  await using opened = await open();
  const { registry, leases } = opened;
  if (renewed === 'by a former run') {
    await registry.renewMany([await register(registry, 'tickets', 3001)]);
    await eventually(
      () => leases.countDocuments(),
      (count) => count === 1,
    );
  }
  await register(registry, 'tickets', 3001, 1_000);

  await endsOnTime(registry);
});

test('a lease whose registry goes before it was renewed is ended on time by another one', async () => {
  await using opened = await open();
  const { registry, openAnother } = opened;
  const other = await openAnother();
  try {
    await register(registry, 'tickets', 3001, 1_000);
    await registry.close();
    await endsOnTime(other);
  } finally {
    await other.close();
  }
});

async function endsOnTime(registry: Registry): Promise<void> {
  const entries = await eventually(
    () => registry.history({ service: 'tickets' }).entries,
    (all) => all.some(({ kind }) => kind === 'instance-expired'),
  );
  const timeOf = (kind: string) => entries.findLast((entry) => entry.kind === kind)?.at ?? Number.NaN;
  expect(timeOf('instance-expired') - timeOf('instance-registered')).toBeGreaterThanOrEqual(1_000);
}

// Story: a registry that was cut off wrote down what had been renewed there before, while the lease had ended and the
// same run had registered again; asked in the same moment what is known of the old lease, it ended the new one.
test('what is written of a lease that ended takes nothing from the one that began since', async () => {
  const url = urlOn('replica set');
  const client = await new mongo.MongoClient(url).connect();
  const store = await openMongoStore({ url });
  const registry = createRegistry({ store });
  try {
    const before = Date.now();
    const { service, id, generation } = await register(registry, 'again', 3001);
    const long = new Date(before - 3_600_000);
    const state = client.db().collection<{ _id: string }>('state');
    await state.updateOne({ _id: 'writable' }, { $set: { since: long } });
    const kept = { _id: `${service}/${id}`, generation, renewedAt: long };
    await client.db().collection<LeaseDocument>('leases').insertOne(kept);
    const key = instanceKey({ service, id });
    await store.refresh([key], before);
    expect(store.view.leases.get(key)?.expiresAt).toBeGreaterThan(before);
  } finally {
    await registry.close();
    await client.close();
  }
});
