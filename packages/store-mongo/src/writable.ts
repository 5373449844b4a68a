// Since when the database takes writes, as all registries over it find out together: each beats in it twice a
// second. A write counts once it was answered, not once it was done. Story: after the primary stood still, its
// successor did what it was told at once, but had nobody to confirm it for ten seconds. The beats, done early and
// answered late, said that it had been writable all the time; nobody had been able to renew, and leases ended.
import type { Clock } from '@reg/registry';
import type { mongo } from 'mongoose';
import { answersSoon } from './answers-soon.ts';
import type { Collections } from './documents.ts';
import { errorText } from './error-text.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { isSignedOut, signInAnew } from './sign-in.ts';

/** The database's clock in a pipeline, or (in tests) a moment. */
export type DatabaseNow = () => '$$NOW' | Date;

/** Times by the database's clock. */
export interface WritablePeriod {
  readonly since: Date;
  /** As far as it is known: who acts later than that must ask again. */
  readonly until: Date;
}

export interface Writable {
  /** Undefined: not writable, or nobody knows at the moment. */
  period(): WritablePeriod | undefined;
  /** One at a time; who comes meanwhile waits for the one under way. Never rejects. */
  beat(): Promise<void>;
  /** Why the database takes no word of ours; undefined while it does. */
  fault(): { readonly text: string; readonly since: number } | undefined;
  close(): Promise<void>;
}

const beatEveryMs = 500;

/** Between two answered beats of any registry, or until a beat is answered: longer, and the database was away. */
const outageMs = 1_500;
/** Health tells of it: longer than a slow beat. */
const awayMs = 2_500;

/** The first beat is over when it resolves, whatever came of it. */
export async function startWritable(
  { state }: Pick<Collections, 'state'>,
  client: mongo.MongoClient,
  clock: Clock,
  databaseNow: DatabaseNow,
): Promise<Writable> {
  let signedOut = false;
  let period: WritablePeriod | undefined;
  let failure = '';
  /** By this process's clock. */
  let answeredAt = clock.now();
  /** By the database's: when it did the latest beat of ours that it answered in time. */
  let confirmed: Date | undefined;

  async function beatOnce(): Promise<void> {
    if (signedOut) await signInAnew(client);
    signedOut = false;
    const sentAt = clock.now();
    const now = databaseNow();
    const confirmedAt = { $max: ['$confirmedAt', confirmed ?? null] };
    const begins = { $lt: [{ $ifNull: [confirmedAt, new Date(0)] }, { $subtract: [now, outageMs] }] };
    const update = [{ $set: { since: { $cond: [begins, now, '$since'] }, confirmedAt, beatAt: now } }];
    const options = { upsert: true, returnDocument: 'after', ...answersSoon } as const;
    const document = await state.findOneAndUpdate({ _id: 'writable' }, update, options);
    answeredAt = clock.now();
    period = undefined;
    if (!document?.since || !document.beatAt || answeredAt - sentAt > outageMs) return;
    confirmed = document.beatAt;
    period = { since: document.since, until: new Date(confirmed.getTime() + outageMs) };
  }

  const beats = oneAtATime(() =>
    beatOnce().catch((error: unknown) => {
      failure = errorText(error);
      signedOut ||= isSignedOut(error);
      period = undefined;
    }),
  );

  await beats.start();
  const stop = clock.every(beatEveryMs, beats.start);
  return {
    period: () => period,
    beat: beats.start,
    fault() {
      if (clock.now() - answeredAt <= awayMs) return undefined;
      const known = period === undefined && failure !== '' ? `: ${failure}` : ''; // else it is silent, and no error is known yet
      return { text: `the database takes no write${known}`, since: answeredAt };
    },
    async close() {
      stop();
      await beats.settled();
    },
  };
}
