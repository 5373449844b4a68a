// What of renewals is written down: all that were gathered in one statement, which no value in it may turn into
// another one, and no late word may turn back.
import { randomBytes } from 'node:crypto';
import { createRegistry, type Registry } from '@reg/registry';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { type ReplicaSet, startReplicaSet } from '../../../tests/support/mongod.ts';
import type { LeaseDocument } from './documents.ts';
import { openMongoStore } from './mongo-store.ts';

let replicaSet: ReplicaSet;

beforeAll(async () => {
  replicaSet = await startReplicaSet();
}, 120_000);

afterAll(() => replicaSet?.[Symbol.asyncDispose]());

async function open() {
  const url = replicaSet.urlOf(`reg-${randomBytes(4).toString('hex')}`);
  const client = await new mongo.MongoClient(url).connect();
  const registry = createRegistry({ store: await openMongoStore({ url }) });
  return {
    registry,
    leases: client.db().collection<LeaseDocument>('leases'),
    async [Symbol.asyncDispose]() {
      await registry.close();
      await client.close();
    },
  };
}

const register = async (registry: Registry, service: string, port: number) => {
  const endpoints = [{ type: 'http' as const, url: `http://127.0.0.1:${port}` }];
  const url = `/${port}`;
  return await registry.register({ service, id: 'one' }, { url, endpoints, authorizedRoles: [] });
};

// In a pipeline `$name` is a field and `$$NOW` a variable, `a.b` a path.
test.each(['$generation', '$$NOW', '$', 'a.b', '{"$literal":1}'])(
  'the lease of a service named %s is written under its name',
  async (service) => {
    await using opened = await open();
    const { generation } = await register(opened.registry, service, 3001);
    const kept = () => opened.leases.find().toArray();
    const [lease] = await eventually(kept, (all) => all.length > 0);
    expect(lease).toEqual({ _id: `${service}/one`, generation, renewedAt: expect.any(Date) });
  },
);

test('what a later run, or a later moment, has written stays', async () => {
  await using opened = await open();
  const { registry, leases } = opened;
  const first = await register(registry, 'later-run', 3001);
  const second = await register(registry, 'later-moment', 3002);
  await eventually(async () => (await leases.countDocuments()) === 2);
  const moment = new Date();
  const [hourAgo, inAnHour] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)] as const;
  const newer = first.generation + 1;
  await leases.updateOne({ _id: 'later-run/one' }, { $set: { generation: newer, renewedAt: hourAgo } });
  await leases.updateOne({ _id: 'later-moment/one' }, { $set: { renewedAt: inAnHour } });

  await registry.renewMany([
    { service: 'later-run', id: 'one', generation: first.generation },
    { service: 'later-moment', id: 'one', generation: second.generation },
  ]);
  await register(registry, 'marks-the-flush', 3003); // written with the two renewals, or after them
  await eventually(async () => (await leases.countDocuments({ renewedAt: { $gt: moment } })) === 2);
  expect(await leases.findOne({ _id: 'later-run/one' })).toMatchObject({
    generation: newer,
    renewedAt: hourAgo,
  });
  expect(await leases.findOne({ _id: 'later-moment/one' })).toMatchObject({ renewedAt: inAnHour });
});
