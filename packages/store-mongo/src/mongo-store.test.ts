import { randomBytes } from 'node:crypto';
import { storeSuite } from '@reg/registry/testing';
import { afterAll, test as anywhere, beforeAll, describe } from 'vitest';
import { hasMongod, type ReplicaSet, startReplicaSet } from '../../../tests/support/mongod.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import { seedsUpTo } from '../../../tests/support/random.ts';
import { count } from '../../../tests/support/size.ts';
import { openMongoStore } from './mongo-store.ts';

const test = anywhere.skipIf(skipWithout('mongod', hasMongod));

let replicaSet: ReplicaSet;

beforeAll(async () => {
  replicaSet = await startReplicaSet();
}, 120_000);

afterAll(() => replicaSet?.[Symbol.asyncDispose]());

describe('store suite', () => {
  storeSuite(test, {
    async open({ clock }) {
      const url = replicaSet.urlOf(`reg-${randomBytes(4).toString('hex')}`);
      const databaseNow = () => new Date(clock.now());
      let store = await openMongoStore({ url, clock, databaseNow });
      return {
        store,
        async reopen() {
          await store.close();
          store = await openMongoStore({ url, clock, databaseNow });
          return store;
        },
        [Symbol.asyncDispose]: () => store.close(),
      };
    },
    sizes: {
      changeSets: count({ reduced: 200, whole: 10_000 }),
      instances: count({ reduced: 2_000, whole: 100_000 }),
    },
    histories: { steps: count({ reduced: 300, whole: 10_000 }), seeds: seedsUpTo(2) },
  });
});
