// Story: on MongoDB 8 twenty instances that joined together were answered, had one revision, and whoever watched was
// told of one. Here is no 8: what a real server tells is told as 8 does, the documents of one `insert` at one moment.
import { createRegistry } from '@reg/registry';
import type { RegistrationBody } from '@reg/schema';
import { mongo } from 'mongoose';
import { expect, vi } from 'vitest';
import { test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { openMongoStore } from './mongo-store.ts';

const joining = 20;
/** Where the server cuts what they are told in: undefined, not at all. */
let cutAt: number | undefined;

vi.mock('./change-cursor.ts', async (original) => {
  const real = await original<typeof import('./change-cursor.ts')>();
  let moment: unknown;
  return {
    async openChangeCursor(options: Parameters<typeof real.openChangeCursor>[0]) {
      const cursor = await real.openChangeCursor(options);
      type Batch = Awaited<ReturnType<typeof cursor.next>>;
      let rest: Batch | undefined;
      let together: Uint8Array[] = [];
      async function next(): Promise<Batch> {
        if (rest) {
          const batch = rest;
          rest = undefined;
          return batch;
        }
        const batch = await cursor.next();
        const events: Uint8Array[] = [];
        for (const bytes of batch.events) {
          const event = mongo.BSON.deserialize(bytes, { promoteLongs: false });
          if (!String(event.documentKey?._id).includes('/together-')) {
            events.push(bytes);
            continue;
          }
          moment ??= event.clusterTime; // of the first one, for every registry
          together.push(mongo.BSON.serialize({ ...event, clusterTime: moment }));
        }
        if (together.length > 0 && together.length < joining) return { ...batch, events, isFull: false };
        if (together.length === 0) return { ...batch, events };
        const all = [...events, ...together];
        together = [];
        if (cutAt === undefined) return { ...batch, events: all, isFull: false };
        const cut = events.length + cutAt;
        rest = { ...batch, events: all.slice(cut), isFull: false };
        return { ...batch, events: all.slice(0, cut), isFull: true };
      }
      return { ...cursor, next };
    },
    /** The next ones have a moment of their own. */
    forgetMoment() {
      moment = undefined;
    },
  };
});

const urlOn = useServers('replica set');

const body = (port: number): RegistrationBody => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  authorizedRoles: [],
  lease: 'none',
});

test.for([undefined, 7])(
  'who joined together is told of as one change set, to every follower and in the history (cut: %s)',
  async (cut) => {
    cutAt = cut;
    const { forgetMoment } = (await import('./change-cursor.ts')) as unknown as { forgetMoment(): void };
    forgetMoment();
    const url = urlOn('replica set');
    const said: string[] = [];
    const open = async () =>
      createRegistry({ store: await openMongoStore({ url, log: (line) => void said.push(line) }) });
    const registries = [await open(), await open()] as const;
    const [one, other] = registries;
    const stop = new AbortController();
    const told = registries.map((): { revision: number; ids: string[] }[] => []);
    try {
      await one.register({ service: 'tickets', id: 'first' }, body(3000));
      await eventually(() => other.snapshot().services.length === 1);
      const following = registries.map(async (registry, index) => {
        for await (const { revision, changes } of registry.changes(registry.position(), stop.signal)) {
          const ids = changes.flatMap((change) => ('instance' in change ? [change.instance.instanceId] : []));
          told[index]?.push({ revision, ids });
        }
      });
      const ids = Array.from({ length: joining }, (_, index) => `together-${index + 10}`);
      const answers = await Promise.all(
        ids.map((id, index) =>
          one.register({ service: 'tickets', id }, body(3001 + index), { origin: { by: `sub:${id}` } }),
        ),
      );
      await eventually(
        () => told,
        (all) => all.every((sets) => sets.length > 0),
      );
      expect(new Set(answers.map(({ revision }) => revision)).size).toBe(1);
      for (const sets of told) {
        expect(sets.map((set) => set.ids.toSorted())).toEqual([ids]);
        expect(sets[0]?.revision).toBe(answers[0]?.revision);
      }
      for (const registry of registries) {
        const { entries } = registry.history({ limit: 100 });
        const joined = entries.filter(({ instanceId }) => instanceId?.startsWith('together-'));
        expect(joined.map(({ by, instanceId }) => `${instanceId} ${by}`).toSorted()).toEqual(
          ids.map((id) => `${id} sub:${id}`),
        );
      }
      expect(said).toEqual([]);
      stop.abort();
      await Promise.all(following);
    } finally {
      stop.abort();
      for (const registry of registries) await registry.close();
    }
  },
);
