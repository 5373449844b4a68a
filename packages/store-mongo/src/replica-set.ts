// A replica set: writes are conditional or transactions, and everybody, the writer too, learns of them by the
// change stream.
import { randomBytes } from 'node:crypto';
import type { Clock } from '@reg/registry';
import type { Connection, mongo } from 'mongoose';
import { mongo as driver } from 'mongoose';
import { endAbandonedTransactions } from './abandoned-transactions.ts';
import { answersSoon } from './answers-soon.ts';
import { type ChangeFeed, openChangeFeed } from './change-feed.ts';
import type { Database, Listener } from './database.ts';
import type { Collections } from './documents.ts';
import { keptEpoch } from './epoch.ts';
import { errorText } from './error-text.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { prepareCollections } from './prepare-collections.ts';
import { readEverything } from './read-everything.ts';
import { revisionOf } from './revision.ts';
import type { OwnDocument } from './stream-event.ts';
import { within } from './within.ts';
import { isOutcomeUnknown, isRace, type Writer, writeConcern } from './writer.ts';

export interface ReplicaSetOptions {
  readonly connection: Connection;
  readonly db: mongo.Db;
  readonly collections: Collections;
  readonly writer: Writer;
  readonly ownDocument: OwnDocument;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/** What is seen takes milliseconds; where it takes longer, nobody knows. */
const seenWithinMs = 10_000;
const tidyEveryMs = 1_000;

export function openReplicaSet({
  connection,
  db,
  collections,
  writer,
  ownDocument,
  clock,
  log,
}: ReplicaSetOptions): Database {
  const self = randomBytes(6).toString('hex');
  const barriers = new Map<string, { reached(): void; lost(cause: Error): void }>();
  let barrierCount = 0;
  /** Under way; and the one after it, which all share who come meanwhile. */
  let barrier: Promise<void> | undefined;
  let nextBarrier: Promise<void> | undefined;
  let epoch: string | undefined;
  let readAt: mongo.Timestamp | undefined;
  let feed: ChangeFeed | undefined;
  let stopTidying: (() => void) | undefined;
  let tidyFault: string | undefined;

  async function moveBarrier(): Promise<void> {
    const by = `${self}-${++barrierCount}`;
    const seen = new Promise<void>((reached, lost) => barriers.set(by, { reached, lost }));
    seen.catch(() => {}); // it may be lost before it was moved, when nobody waits for it yet
    try {
      const options = { upsert: true, writeConcern, ...answersSoon };
      await collections.state.replaceOne({ _id: 'barrier' }, { by }, options);
      await within(seenWithinMs, seen, 'the database does not tell of its changes');
    } finally {
      barriers.delete(by);
    }
  }

  /** A database that is away is told of by whoever writes; one that refuses this is told of here, once. */
  async function tidy(): Promise<void> {
    try {
      await endAbandonedTransactions(connection.getClient());
      tidyFault = undefined;
    } catch (error) {
      const text = errorText(error);
      if (!(error instanceof driver.MongoServerError) || text === tidyFault) return;
      tidyFault = text;
      log(`transactions that a dead registry left are not ended before their minute: ${text}`);
    }
  }

  const tidying = oneAtATime(tidy);

  return {
    kind: 'replica set',
    async load() {
      await feed?.close();
      await prepareCollections(connection, { changeStream: true });
      epoch = await keptEpoch(collections, epoch);
      const { atClusterTime, ...documents } = await readEverything(db);
      readAt = atClusterTime;
      return { epoch, revision: revisionOf(atClusterTime), ...documents };
    },
    follow({ onStep, onLost, onBroken, onMended }: Listener) {
      if (readAt === undefined) throw new TypeError('nothing was loaded');
      stopTidying ??= clock.every(tidyEveryMs, () => void tidying.start());
      // Where one moved before the documents were read, nobody tells of it any more.
      for (const { lost } of barriers.values()) lost(new Error('everything was read anew: ask again'));
      feed = openChangeFeed({
        client: connection.getClient(),
        db,
        after: next(readAt),
        ownDocument,
        onStep: (step) => {
          onStep(step);
          if (step.barrier !== undefined) barriers.get(step.barrier)?.reached();
        },
        onLost,
        onBroken,
        onMended,
      });
    },
    async write(operations, name, isWanted) {
      try {
        return await writer.write(operations, name, isWanted);
      } catch (error) {
        if (isOutcomeUnknown(error)) return 'raced';
        throw error;
      }
    },
    async mend(operation) {
      try {
        await writer.carryOut(operation);
      } catch (error) {
        if (!isRace(error)) throw error;
      }
    },
    caughtUp() {
      nextBarrier ??= (barrier ?? Promise.resolve())
        .catch(() => {})
        .then(() => {
          barrier = nextBarrier;
          nextBarrier = undefined;
          return moveBarrier();
        });
      return nextBarrier;
    },
    async close() {
      stopTidying?.();
      for (const { lost } of barriers.values()) lost(new Error('the store is closed'));
      await feed?.close();
    },
  };
}

/** The moment after: what was written at the moment itself was read already. */
function next({ t, i }: mongo.Timestamp): mongo.Timestamp {
  return new driver.Timestamp({ t, i: i + 1 });
}
