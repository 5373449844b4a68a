// What every store promises, over both kinds of server.
import { type Clock, createSystemClock } from '@reg/registry';
import { storeSuite } from '@reg/registry/testing';
import { describe } from 'vitest';
import { serverKinds, test, useServers } from '../../../tests/support/database-servers.ts';
import { seedsUpTo } from '../../../tests/support/random.ts';
import { count } from '../../../tests/support/size.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers(...serverKinds);

const { every } = createSystemClock();

/**
 * Story: a renewal late in its lease is answered once it is written down, which was a matter of a timer; nobody moved
 * the fake clock meanwhile, and each of them was refused.
 */
function alsoInRealTime(clock: Clock): Clock {
  return {
    ...clock,
    every(intervalMs, run) {
      const stops = [clock.every(intervalMs, run), every(intervalMs, run)];
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

describe.each(serverKinds)('store suite (%s)', (kind) => {
  storeSuite(test, {
    async open({ clock: fake }) {
      const clock = alsoInRealTime(fake);
      const options = { url: urlOn(kind), clock, databaseNow: () => new Date(clock.now()), log: () => {} };
      let store = await openMongoStore(options);
      return {
        store,
        async reopen() {
          await store.close();
          store = await openMongoStore(options);
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
