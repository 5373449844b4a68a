// Story: a standalone server knows no transactions, and a registry killed in the middle of a write left half of it.
import { createRegistry } from '@reg/registry';
import { openMongoStore } from '@reg/store-mongo';
import mongoose from 'mongoose';
import { expect, test } from 'vitest';
import { hasMongod, startMongod } from '../support/mongod.ts';
import { skipWithout } from '../support/part.ts';
import { startProcess } from '../support/process.ts';
import { seededRandom } from '../support/random.ts';
import { count } from '../support/size.ts';

const script = new URL('../support/writes.mjs', import.meta.url).pathname;

/** What follows an answered state, for whoever was killed before the next answer. */
function next(state: string): RegExp {
  const [instances, role = ''] = state.split(' ');
  if (instances === '0') return /^1 role-\d+-\d+$/;
  if (instances === '2') return new RegExp(role.endsWith('-new') ? `^1 ${role}$` : `^2 ${role}-new$`);
  return new RegExp(role.endsWith('-new') ? '^0$' : `^2 ${role}$`);
}

test.skipIf(skipWithout('mongod', hasMongod))(
  'killed with SIGKILL while it writes: all that was answered is there, and nothing by halves',
  async () => {
    await using mongod = await startMongod();
    const url = `${mongod.url}/crash`;
    const connection = await mongoose.createConnection(url).asPromise();
    const random = seededRandom(1);
    let answered = new Map<string, string>();
    try {
      for (let round = 0; round < count({ reduced: 3, whole: 20 }); round++) {
        await using writing = await startProcess('node', [script, url, String(round)]);
        const lines = 20 + Math.floor(random() * 40);
        await writing.printed(new RegExp(`(.*\\n){${lines}}`), { withinMs: 30_000 });
        writing.kill('SIGKILL');
        await writing.ended;
        for (const line of writing.stdout().trim().split('\n')) {
          const [service = '', ...state] = line.split(' ');
          answered.set(service, state.join(' '));
        }
        const store = await openMongoStore({ url, log: () => {} });
        const registry = createRegistry({ store });
        const found = new Map(
          registry
            .listServices()
            .services.map(({ name, instances, authorizedRoles }) => [
              name,
              `${instances.length} ${String(authorizedRoles)}`,
            ]),
        );
        for (const [service, state] of answered) {
          const now = found.get(service) ?? '0';
          expect(now === state || next(state).test(now), `${service} was ${state}, is ${now}`).toBe(true);
        }
        expect(store.invalid()).toEqual([]);
        const definitions = await connection.collection('definitions').find().toArray();
        expect(definitions.map(({ _id }) => String(_id)).sort()).toEqual([...found.keys()].sort());
        expect(await connection.collection('writes').countDocuments()).toBe(0);
        answered = new Map([...answered.keys()].map((service) => [service, found.get(service) ?? '0']));
        await registry.close();
      }
    } finally {
      await connection.close();
    }
  },
  // Each round waits 5 s for the lock of who was killed.
  count({ reduced: 120_000, whole: 600_000 }),
);
