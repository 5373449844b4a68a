// Story: the primary stood still, another member followed it, and did at once what it was told; but nobody
// confirmed it for ten seconds, so no renewal was taken. The registries then believed the early times of what was
// answered late, and ended leases that nobody had been able to renew.
import { createRegistry } from '@reg/registry';
import { isRegError } from '@reg/schema';
import { mongo } from 'mongoose';
import { expect } from 'vitest';
import { test } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { type Mongod, startReplicaSet } from '../../../tests/support/mongod.ts';
import { count } from '../../../tests/support/size.ts';
import { openMongoStore } from './mongo-store.ts';

const leaseMs = 1_000;
const renewEveryMs = 100;
const name = { service: 'tickets', id: 'a' };

/** Whether a member takes over what the primary did; it stays in touch with it either way. */
async function replicate(member: Mongod, mode: 'off' | 'alwaysOn'): Promise<void> {
  const client = new mongo.MongoClient(`${member.url}/?directConnection=true`);
  try {
    await client.db('admin').command({ configureFailPoint: 'stopReplProducer', mode });
  } finally {
    await client.close();
  }
}

test('writes that are done, and confirmed only after longer than a lease, end no lease', async () => {
  const more = ['--setParameter', 'enableTestCommands=1'];
  await using replicaSet = await startReplicaSet({ members: 2, more });
  const primary = await replicaSet.primary();
  const secondary = replicaSet.members.find(({ url }) => url !== primary.url) as Mongod;
  const url = replicaSet.urlOf('reg');
  const registries = [
    createRegistry({ store: await openMongoStore({ url, log: () => undefined }) }),
    createRegistry({ store: await openMongoStore({ url, log: () => undefined }) }),
  ] as const;
  const [one, two] = registries;
  const told: string[] = [];
  const stop = new AbortController();
  const { generation } = await one.register(name, {
    url: '/tickets',
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001' }],
    authorizedRoles: [],
    lease: { ttlMs: leaseMs },
  });
  await eventually(() => two.getService('tickets').instances.length === 1);
  const following = (async () => {
    for await (const { changes } of two.changes(two.position(), stop.signal))
      told.push(...changes.map(({ kind }) => kind));
  })();
  let answers: string[] = [];
  let renewed = Promise.resolve();
  // As the client does: whichever registry takes it.
  const renewing = setInterval(() => {
    renewed = one
      .renew(name, generation)
      .catch(() => two.renew(name, generation))
      .then(
        () => void answers.push('ok'),
        (error: unknown) => void answers.push(isRegError(error) ? error.code : String(error)),
      );
  }, renewEveryMs);
  try {
    await eventually(() => answers.filter((answer) => answer === 'ok').length > 5);
    // Whether a renewal or a beat is answered first is chance: each time it was even.
    for (let time = 0; time < count({ reduced: 2, whole: 6 }); time++) {
      await replicate(secondary, 'alwaysOn');
      await eventually(() => answers.at(-1) === 'store_unavailable');
      answers = [];
      await eventually(() => answers.length > (2.5 * leaseMs) / renewEveryMs);
      await replicate(secondary, 'off');
      await eventually(
        () => answers.slice(-20),
        (last) => last.length === 20 && last.every((answer) => answer === 'ok'),
        { withinMs: 30_000 },
      );
      expect(answers).not.toContain('instance_not_found');
    }
    expect(told).toEqual([]);

    clearInterval(renewing);
    await eventually(() => told.length > 0); // and who renews no more goes, as ever
    expect(told).toEqual(['instance-expired']);
  } finally {
    clearInterval(renewing);
    await renewed;
    stop.abort();
    await following;
    for (const registry of registries) await registry.close();
  }
}, 120_000);
