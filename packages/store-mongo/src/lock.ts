// One registry at a time, where the server is no replica set: a document says who, and until when by the
// database's clock. Who holds it renews it; what stands still too long has lost it.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as later } from 'node:timers/promises';
import type { Clock } from '@reg/registry';
import { answersSoon } from './answers-soon.ts';
import type { Collections } from './documents.ts';
import type { DatabaseNow } from './writable.ts';

const lockMs = 5_000;
export const renewEveryMs = 1_000;
const askEveryMs = 250;

export interface LockOptions {
  readonly collections: Pick<Collections, 'state'>;
  readonly clock: Clock;
  readonly databaseNow: DatabaseNow;
}

export interface Lock {
  /** Waits for one that nobody renews any more. @throws where somebody renews it */
  acquire(): Promise<void>;
  /** Afterwards it is ours for some time still. @throws Lost, or what the database says */
  hold(): Promise<void>;
  /** @throws Lost, or what the database says */
  renew(): Promise<void>;
  release(): Promise<void>;
}

/** What this registry knows may be wrong: everything is to be read anew. */
export class Lost extends Error {}

interface Holder {
  readonly by?: string;
  readonly who?: string;
  readonly until?: Date;
  readonly taken?: string;
}

export function createLock({ collections: { state }, clock, databaseNow }: LockOptions): Lock {
  const self = randomBytes(6).toString('hex');
  const who = `process ${process.pid} on ${hostname()}`;
  let taken: string | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;

  /** Takes it or renews it, where it is free or ours. @returns who has it then */
  async function ask(): Promise<Holder> {
    const now = databaseNow();
    const isOurs = { $eq: ['$by', { $literal: self }] };
    const isFree = { $or: [isOurs, { $lte: [{ $ifNull: ['$until', new Date(0)] }, now] }] };
    const fresh = randomBytes(6).toString('hex');
    const update = {
      by: { $cond: [isFree, { $literal: self }, '$by'] },
      who: { $cond: [isFree, { $literal: who }, '$who'] },
      until: { $cond: [isFree, { $add: [now, lockMs] }, '$until'] },
      taken: { $cond: [isOurs, '$taken', { $cond: [isFree, { $literal: fresh }, '$taken'] }] },
    };
    const askedAt = clock.now();
    const options = { upsert: true, returnDocument: 'after', ...answersSoon } as const;
    const holder = await state.findOneAndUpdate({ _id: 'lock' }, [{ $set: update }], options);
    if (holder?.by === self) renewedAt = askedAt;
    return holder ?? {};
  }

  async function renew(): Promise<void> {
    const holder = await ask();
    if (holder.by !== self) throw new Lost(`another registry has taken the database: ${holder.who}`);
    // Taken anew is not renewed: another one was here meanwhile, or somebody deleted what we keep here.
    if (holder.taken !== taken) throw new Lost('the lock of this registry was deleted');
  }

  return {
    async acquire() {
      const first = await ask();
      for (let holder = first, waitedMs = 0; ; holder = await ask(), waitedMs += askEveryMs) {
        if (holder.by === self) {
          taken = holder.taken;
          return;
        }
        if (holder.until?.getTime() !== first.until?.getTime() || waitedMs > 2 * lockMs) {
          throw new Error(
            `the database is a standalone server, which takes one registry, and ${holder.who} is there: stop that one, or make the database a replica set (one member is enough)`,
          );
        }
        await later(askEveryMs);
      }
    },
    async hold() {
      if (clock.now() - renewedAt > lockMs / 2) await renew();
    },
    renew,
    async release() {
      await state.deleteOne({ _id: 'lock', by: self });
    },
  };
}
