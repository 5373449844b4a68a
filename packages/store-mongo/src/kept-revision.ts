// Where no cluster has a clock, the registry counts, and keeps in the database how far it may have got: a
// restart goes on above that, even one after a power cut.
import type { Collections } from './documents.ts';
import { revisionOf } from './revision.ts';
import { writeConcern } from './writer.ts';

const reservedAtOnce = 100_000;
const reservedAtLeast = 1_000;

export interface KeptRevision {
  /** @param now by the database's clock: so far a replica set's revisions may have got, were it one before */
  load(now: Date): Promise<number>;
  /** Call it before each handful of steps. */
  reserve(): Promise<void>;
  next(): number;
}

export function createKeptRevision({ state }: Pick<Collections, 'state'>): KeptRevision {
  let revision = 0;
  let ceiling = 0;

  async function reserve(): Promise<void> {
    if (revision + reservedAtLeast <= ceiling) return;
    const wanted = revision + reservedAtOnce;
    await state.updateOne({ _id: 'revision' }, { $max: { ceiling: wanted } }, { upsert: true, writeConcern });
    ceiling = wanted;
  }

  return {
    async load(now) {
      const kept = await state.findOne({ _id: 'revision' });
      const ofTheClock = revisionOf({ high: Math.floor(now.getTime() / 1_000), low: 0 });
      revision = Math.max(revision, kept?.ceiling ?? 0, ofTheClock);
      ceiling = 0;
      await reserve();
      return revision;
    },
    reserve,
    next: () => ++revision,
  };
}
