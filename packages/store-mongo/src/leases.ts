// Leases over the database: renewals are gathered and written together, by the database's clock, so that the
// registries' own clocks need not agree. Where nothing could be written, nobody could renew: that time counts
// for no lease.
import type { Clock, InstanceKey, Renewal, View } from '@reg/registry';
import { regError } from '@reg/schema';
import type { mongo } from 'mongoose';
import type { Collections, LeaseDocument } from './documents.ts';

/** The database's clock in a pipeline, or (in tests) a moment. */
export type DatabaseNow = () => '$$NOW' | Date;

/** With the beats seven writes a second, so that five registries stay below 40 together. */
const flushEveryMs = 200;
const beatEveryMs = 500;
/** Between two beats of any registry: longer, and the database was away. */
const outageMs = 1_500;
/** Health tells of it: longer than a slow beat. */
const awayMs = 2_500;

export interface LeaseOptions {
  readonly collections: Collections;
  readonly view: View & { renew(renewal: Renewal): boolean };
  readonly clock: Clock;
  readonly databaseNow: DatabaseNow;
  /** The document's id of an instance, as text. */
  readonly idOf: (key: InstanceKey) => string | undefined;
}

export interface Leases {
  /** A lease begins: it is written down with the next renewals. */
  began(key: InstanceKey, generation: number): void;
  /** @throws `store_unavailable` where one could not be written for half of its lease */
  renew(renewals: readonly Renewal[]): readonly InstanceKey[];
  refresh(overdue: readonly InstanceKey[], now: number): Promise<void>;
  /** Why the database takes no word of ours; undefined while it does. */
  fault(): { readonly text: string; readonly since: number } | undefined;
  /** Since when the database can be written to, by its own clock. */
  writableSince(): Date | undefined;
  close(): Promise<void>;
}

/** A renewal that is still to be written. Times by this process's clock. */
interface Pending {
  readonly generation: number;
  /** Of the latest one. */
  readonly renewedAt: number;
  /** Since when nothing of it could be written. */
  readonly since: number;
}

export async function startLeases({
  collections,
  view,
  clock,
  databaseNow,
  idOf,
}: LeaseOptions): Promise<Leases> {
  const { leases, state } = collections;
  let pending = new Map<InstanceKey, Pending>();
  /** Under way to the database. */
  let writing: ReadonlyMap<InstanceKey, Pending> = new Map();
  let renewalFault = '';
  let beatFault = '';
  let beatAt = clock.now();
  let flushing: Promise<void> | undefined;
  let since: Date | undefined;
  let beating: Promise<void> | undefined;

  function add(key: InstanceKey, generation: number): void {
    const before = pending.get(key);
    const now = clock.now();
    pending.set(key, { generation, renewedAt: now, since: before?.since ?? now });
  }

  async function write(renewals: ReadonlyMap<InstanceKey, Pending>): Promise<void> {
    const updates: mongo.AnyBulkWriteOperation<LeaseDocument>[] = [];
    for (const [key, { generation, renewedAt }] of renewals) {
      const _id = idOf(key);
      if (_id === undefined) continue; // it is gone
      const isOurs = { $gte: [generation, { $ifNull: ['$generation', 0] }] };
      const then = { $subtract: [databaseNow(), clock.now() - renewedAt] };
      const update = {
        renewedAt: { $cond: [isOurs, { $max: ['$renewedAt', then] }, '$renewedAt'] },
        generation: { $max: ['$generation', generation] },
      };
      updates.push({ updateOne: { filter: { _id }, update: [{ $set: update }], upsert: true } });
    }
    if (updates.length > 0) await leases.bulkWrite(updates, { ordered: false });
  }

  async function flushPending(): Promise<void> {
    writing = pending;
    pending = new Map();
    try {
      await write(writing);
      renewalFault = '';
    } catch (error) {
      renewalFault = textOf(error); // told to who renews, if it lasts
      for (const [key, one] of writing) pending.set(key, { ...one, ...pending.get(key), since: one.since });
    }
    writing = new Map();
  }

  function flush(): Promise<void> {
    flushing ??= flushPending().finally(() => {
      flushing = undefined;
    });
    return flushing;
  }

  async function beatOnce(): Promise<void> {
    const now = databaseNow();
    const gap = { $subtract: [now, outageMs] };
    const isNew = { $lt: [{ $ifNull: ['$lastAt', new Date(0)] }, gap] };
    const update = [{ $set: { since: { $cond: [isNew, now, '$since'] }, lastAt: now } }];
    const options = { upsert: true, returnDocument: 'after' } as const;
    const document = await state.findOneAndUpdate({ _id: 'writable' }, update, options);
    since = document?.since;
    beatAt = clock.now();
  }

  function beat(): Promise<void> {
    beating ??= beatOnce()
      .catch((error: unknown) => {
        beatFault = textOf(error);
        since = undefined; // the database is away: the next beat will say since when it is back
      })
      .finally(() => {
        beating = undefined;
      });
    return beating;
  }

  function checkWritten(renewals: readonly Renewal[]): void {
    for (const { key } of renewals) {
      const late = writing.get(key) ?? pending.get(key);
      const leaseMs = view.leases.get(key)?.leaseMs;
      if (!late || leaseMs == null || clock.now() - late.since <= leaseMs / 2) continue;
      const detail = `the database has taken no renewal for half a lease${renewalFault && `: ${renewalFault}`}`;
      throw regError('store_unavailable', detail);
    }
  }

  async function refresh(overdue: readonly InstanceKey[], now: number): Promise<void> {
    await flush();
    await beat();
    if (since === undefined)
      throw regError('store_unavailable', 'the database does not say since when it is writable');
    const keys = new Map(overdue.map((key) => [idOf(key) ?? '', key]));
    const ageMs = { $subtract: [databaseNow(), { $max: ['$renewedAt', since] }] };
    const known = await leases
      .aggregate<{ _id: string; generation: number; ageMs: number }>([
        { $match: { _id: { $in: [...keys.keys()] } } },
        { $project: { generation: 1, ageMs } },
      ])
      .toArray();
    for (const { _id, generation, ageMs: age } of known) {
      const key = keys.get(_id);
      const leaseMs = key && view.leases.get(key)?.leaseMs;
      keys.delete(_id);
      if (!key || leaseMs == null) continue;
      const held = view.leases.get(key)?.generation ?? 0;
      if (generation >= held)
        view.renew({ key, generation: held, expiresAt: Math.floor(now - age + leaseMs) });
      else keys.set(_id, key);
    }
    // Nobody has written these down yet: they begin now.
    for (const key of keys.values()) {
      const lease = view.leases.get(key);
      if (!lease || lease.leaseMs === null) continue;
      add(key, lease.generation);
      view.renew({ key, generation: lease.generation, expiresAt: now + lease.leaseMs });
    }
  }

  await beat();
  const ends = [clock.every(flushEveryMs, flush), clock.every(beatEveryMs, beat)];
  return {
    began: add,
    renew(renewals) {
      checkWritten(renewals);
      const lost: InstanceKey[] = [];
      for (const renewal of renewals) {
        if (view.renew(renewal)) add(renewal.key, renewal.generation);
        else lost.push(renewal.key);
      }
      return lost;
    },
    refresh,
    fault() {
      if (clock.now() - beatAt <= awayMs) return undefined;
      const known = since === undefined ? `: ${beatFault}` : ''; // else it is silent, and no error is known yet
      return { text: `the database takes no write${known}`, since: beatAt };
    },
    writableSince: () => since,
    async close() {
      for (const end of ends) end();
      await flush();
      await beating;
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
