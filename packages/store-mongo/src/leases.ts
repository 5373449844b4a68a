// Leases over the database: renewals are gathered and written together, by the database's clock, so that the
// registries' own clocks need not agree. A lease that nobody has renewed yet is not written down: every registry saw
// it begin. Where nothing could be written, nobody could renew: that time counts for no lease. A renewal is answered
// at once where the others, who do not know of it yet, leave the lease another half of it; else once it is written down.
import type { Clock, InstanceKey, Renewal, View } from '@reg/registry';
import { type RegError, regError } from '@reg/schema';
import type { mongo } from 'mongoose';
import { answersSoon } from './answers-soon.ts';
import type { Collections } from './documents.ts';
import { errorText } from './error-text.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { within } from './within.ts';
import type { DatabaseNow, Writable } from './writable.ts';

/** With the beats (writable.ts) seven writes a second, so that five registries stay below 40 together. */
const flushEveryMs = 200;
/** Of some 80 bytes each: a statement has room for 16 MB. */
const writtenAtOnce = 10_000;
/** Who renews gives up after some seconds, and asks another registry. */
const writtenWithinMs = 1_000;
/** Health tells of it: longer than many of them take. */
const toldAfterMs = 2_500;
const takenNone = 'the database has taken no renewal for half a lease';

export interface LeaseOptions {
  readonly db: mongo.Db;
  readonly collections: Collections;
  readonly view: View & { renew(renewal: Renewal): boolean };
  readonly clock: Clock;
  readonly databaseNow: DatabaseNow;
  readonly writable: Writable;
  /** The document's id of an instance, as text. */
  readonly idOf: (key: InstanceKey) => string | undefined;
}

export interface Leases {
  /** Everything is read anew now: of what is read nobody knows when it was renewed last. */
  begin(now: number): void;
  /** @throws `store_unavailable` for a lease half of which is over since something of it could be written */
  renew(renewals: readonly Renewal[]): Promise<readonly InstanceKey[]>;
  refresh(overdue: readonly InstanceKey[], now: number): Promise<void>;
  /** Why the database takes no renewal, and since when; undefined while it does. */
  fault(): { readonly text: string; readonly since: number } | undefined;
  close(): Promise<void>;
}

/** A renewal that is still to be written. Times by this process's clock. */
interface Pending {
  readonly generation: number;
  /** Of the latest one. */
  readonly renewedAt: number;
  /** Since when the first one waits. */
  readonly since: number;
  /** When it was renewed that is written: others know of nothing later. */
  readonly writtenAt: number;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

export function startLeases({
  db,
  collections,
  view,
  clock,
  databaseNow,
  writable,
  idOf,
}: LeaseOptions): Leases {
  const { leases } = collections;
  let pending = new Map<InstanceKey, Pending>();
  /** Under way to the database. */
  let writing: ReadonlyMap<InstanceKey, Pending> = new Map();
  /** For what is pending to be written. */
  let waiting: Waiting[] = [];
  let renewalFault = '';
  /** Of what is to be written, the first that was not. */
  let untakenSince: number | undefined;
  let begunAt = 0;

  function add(key: InstanceKey, generation: number, renewedAt: number, writtenAt: number): void {
    const first = pending.get(key) ?? { since: clock.now(), writtenAt };
    pending.set(key, { generation, renewedAt, since: first.since, writtenAt: first.writtenAt });
  }

  async function write(renewals: ReadonlyMap<InstanceKey, Pending>): Promise<void> {
    const now = clock.now();
    const said = [...renewals].flatMap(([key, { generation, renewedAt }]) => {
      const _id = idOf(key);
      return _id === undefined ? [] : [{ _id, generation, ageMs: now - renewedAt }]; // undefined: it is gone
    });
    for (let start = 0; start < said.length; start += writtenAtOnce) {
      await merge(said.slice(start, start + writtenAtOnce));
    }
  }

  /**
   * One statement for all of them: as updates with a pipeline each they cost the database twice as much and a
   * registry three times, a fifth of a registration. It is not repeated by the driver, but by the next flush.
   */
  async function merge(said: readonly object[]): Promise<void> {
    const isOurs = { $gte: ['$$new.generation', { $ifNull: ['$generation', 0] }] };
    const later = {
      renewedAt: { $cond: [isOurs, { $max: ['$renewedAt', '$$new.renewedAt'] }, '$renewedAt'] },
      generation: { $max: ['$generation', '$$new.generation'] },
    };
    const stages = [
      { $documents: { $literal: said } }, // literally: the name of a service may begin with $
      { $project: { generation: 1, renewedAt: { $subtract: [databaseNow(), '$ageMs'] } } },
      { $merge: { into: leases.collectionName, whenMatched: [{ $set: later }] } },
    ];
    await db.aggregate(stages, answersSoon).toArray();
  }

  async function flushPending(): Promise<void> {
    writing = pending;
    pending = new Map();
    const told = waiting;
    waiting = [];
    if (writing.size > 0) untakenSince ??= clock.now();
    try {
      await write(writing);
      renewalFault = '';
      untakenSince = undefined;
      for (const { resolve } of told) resolve();
    } catch (error) {
      renewalFault = errorText(error); // told to who renews, if it lasts
      for (const { reject } of told) reject(error);
      for (const [key, one] of writing) {
        const { since, writtenAt } = one;
        pending.set(key, { ...one, ...pending.get(key), since, writtenAt });
      }
    }
    writing = new Map();
  }

  const flushes = oneAtATime(flushPending);

  function unwrittenOf(key: InstanceKey): Pending | undefined {
    return writing.get(key) ?? pending.get(key);
  }

  /** When it was renewed that all registries know of. */
  function knownRenewalOf(key: InstanceKey): number {
    const unwritten = unwrittenOf(key);
    if (unwritten) return unwritten.writtenAt;
    const renewedAt = lastRenewedAt(key) ?? 0;
    return renewedAt > begunAt ? renewedAt : 0;
  }

  /** Others, who know of that renewal, may end it before its next one: where this one is lost, so is the lease. */
  function isLate(key: InstanceKey, knownRenewal: number, now: number): boolean {
    const leaseMs = view.leases.get(key)?.leaseMs;
    return leaseMs != null && now - knownRenewal > leaseMs / 2;
  }

  /** So early that whoever renews every third of its lease still comes in time to another registry. */
  function checkWritten(renewals: readonly Renewal[], now: number): void {
    for (const { key } of renewals) {
      const unwritten = unwrittenOf(key);
      const leaseMs = view.leases.get(key)?.leaseMs;
      if (!unwritten || leaseMs == null) continue;
      const waitsLong = now - unwritten.since > leaseMs / 6; // two right after each other do not
      if (waitsLong && isLate(key, unwritten.writtenAt, now)) throw notTaken(takenNone);
    }
  }

  /** What is pending now. */
  async function untilWritten(): Promise<void> {
    const written = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
    await within(writtenWithinMs, written, takenNone).catch(() => {
      throw notTaken(takenNone);
    });
  }

  function notTaken(what: string): RegError {
    return regError('store_unavailable', `${what}${renewalFault && `: ${renewalFault}`}`);
  }

  function lastRenewedAt(key: InstanceKey): number | undefined {
    const { expiresAt = null, leaseMs = null } = view.leases.get(key) ?? {};
    return expiresAt === null || leaseMs === null ? undefined : expiresAt - leaseMs;
  }

  function isOverdue(key: InstanceKey, now: number): boolean {
    return (view.leases.get(key)?.expiresAt ?? Number.POSITIVE_INFINITY) <= now;
  }

  async function refresh(overdue: readonly InstanceKey[], now: number): Promise<void> {
    await flushes.start();
    await writable.beat();
    const neverRenewed = await takeWritten(overdue, now);
    if (neverRenewed.length === 0) return;
    for (const key of neverRenewed) addBeginning(key);
    await flushes.startAnew();
    const unwritten = await takeWritten(neverRenewed, now);
    if (unwritten.some((key) => isOverdue(key, now)))
      throw notTaken('the database has taken no word of a lease');
  }

  /** It ends by the same condition as every other, so it is written down now. */
  function addBeginning(key: InstanceKey): void {
    const generation = view.leases.get(key)?.generation;
    const begunAt = lastRenewedAt(key);
    if (generation === undefined || begunAt === undefined || pending.has(key)) return;
    add(key, generation, begunAt, begunAt);
  }

  /** @returns of whose leases nothing is written down */
  async function takeWritten(keys: readonly InstanceKey[], now: number): Promise<readonly InstanceKey[]> {
    const period = writable.period();
    if (!period) throw regError('store_unavailable', 'the database does not say since when it is writable');
    const left = new Map(keys.map((key) => [idOf(key) ?? '', key]));
    const ageMs = { $subtract: [databaseNow(), { $max: ['$renewedAt', period.since] }] };
    const written = await leases
      .aggregate<{ _id: string; generation: number; ageMs: number }>(
        [{ $match: { _id: { $in: [...left.keys()] } } }, { $project: { generation: 1, ageMs } }],
        answersSoon,
      )
      .toArray();
    for (const { _id, generation, ageMs: age } of written) {
      const key = left.get(_id);
      const lease = key && view.leases.get(key);
      if (lease && generation < lease.generation) continue; // of a former run
      left.delete(_id);
      if (!key || lease?.leaseMs == null || !isOverdue(key, now)) continue; // it began anew meanwhile
      const expiresAt = Math.floor(now - age + lease.leaseMs);
      view.renew({ key, generation: lease.generation, expiresAt });
    }
    return [...left.values()];
  }

  const stop = clock.every(flushEveryMs, flushes.start);
  return {
    begin(now) {
      begunAt = now;
    },
    async renew(renewals) {
      const now = clock.now();
      checkWritten(renewals, now);
      const lost: InstanceKey[] = [];
      let late = false;
      for (const renewal of renewals) {
        const { key, generation } = renewal;
        const knownBefore = knownRenewalOf(key);
        const wasLate = isLate(key, knownBefore, now);
        if (view.renew(renewal)) {
          add(key, generation, now, knownBefore);
          late ||= wasLate;
        } else lost.push(key);
      }
      if (late) await untilWritten();
      return lost;
    },
    refresh,
    fault() {
      if (untakenSince === undefined || clock.now() - untakenSince <= toldAfterMs) return undefined;
      const text = `the database takes no renewal${renewalFault && `: ${renewalFault}`}`;
      return { text, since: untakenSince };
    },
    async close() {
      stop();
      await flushes.start();
    },
  };
}
