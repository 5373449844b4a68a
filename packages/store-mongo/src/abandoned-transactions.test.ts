// What a registry held that was killed in the middle of a transaction; as users who may do no more than they must.
import { fileURLToPath } from 'node:url';
import { createRegistry } from '@reg/registry';
import { isRegError, type RegistrationBody } from '@reg/schema';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect } from 'vitest';
import { test } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { type GuardedDatabase, startGuardedDatabase } from '../../../tests/support/guarded-database.ts';
import { startProcess } from '../../../tests/support/process.ts';
import { endAbandonedTransactions } from './abandoned-transactions.ts';
import { openMongoStore } from './mongo-store.ts';

const leaver = fileURLToPath(new URL('../../../tests/support/leaves-transaction.mjs', import.meta.url));

let database: GuardedDatabase;
let url: string;

beforeAll(async () => {
  database = await startGuardedDatabase();
  url = database.urlOf('ada');
}, 120_000);

afterAll(() => database?.[Symbol.asyncDispose]());

const one = { service: 'tickets', id: 'one' };
const body = (more: Partial<RegistrationBody> = {}): RegistrationBody => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001' }],
  authorizedRoles: [],
  lease: 'none',
  ...more,
});

async function killInTransaction(): Promise<void> {
  await using process = await startProcess('node', [leaver, url, 'tickets/one']);
  await process.printed(/^held 1$/m, { withinMs: 30_000 });
  process.kill('SIGKILL');
  await process.ended;
}

// Story: a registry was killed between the last operation of a transaction and its commit. For a minute its service
// could neither be changed (503 after 12 s) nor leave (20 races lost in a row).
test('who is killed in a transaction holds nothing for long: others change the same instance, and end it', async () => {
  const registry = createRegistry({ store: await openMongoStore({ url }) });
  try {
    await registry.register(one, body());
    await killInTransaction();
    await registry.register(one, body({ version: '2' }));
    expect(registry.getService('tickets').instances).toMatchObject([{ version: '2' }]);

    await killInTransaction();
    // Races are lost at once, so who unregisters tries again as every client does.
    const unregister = () =>
      registry.unregister(one, { force: true }).catch((error: unknown) => {
        if (isRegError(error) && error.retryable) return error;
        throw error;
      });
    await eventually(unregister, (answer) => !isRegError(answer), { withinMs: 20_000 });
    expect(registry.listServices().services).toEqual([]);
  } finally {
    await registry.close();
  }
}, 120_000);

test('a transaction of another program is let alone, however long it does nothing', async () => {
  await using ours = new mongo.MongoClient(url, { appName: 'reg' });
  await using shell = new mongo.MongoClient(url, { appName: 'mongosh 2.5' });
  const begin = async (client: mongo.MongoClient) => {
    const session = client.startSession();
    session.startTransaction();
    await client.db().collection('other').insertOne({}, { session });
    return session;
  };
  const theirs = await begin(shell);
  const abandoned = await begin(ours);
  // A second session looks: a word in the abandoned one would end its silence.
  const open = async () => {
    await endAbandonedTransactions(ours);
    const sessions = await ours
      .db('admin')
      .aggregate([{ $currentOp: { idleSessions: true } }])
      .toArray();
    return sessions.flatMap(({ type, appName }) => (type === 'idleSession' ? [appName] : []));
  };
  await eventually(open, (names) => !names.includes('reg'), { withinMs: 20_000 });
  await theirs.commitTransaction();
  await expect(abandoned.commitTransaction()).rejects.toMatchObject({ code: 251 });
});
