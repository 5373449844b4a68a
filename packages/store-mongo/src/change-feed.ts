// What happens to the documents, whoever does it: a change stream over the whole database, cut into
// steps. It survives elections and lost connections by itself (resume token); where the history is
// gone, it says so once and ends.
import { mongo } from 'mongoose';
import { type ChangeCursor, openChangeCursor } from './change-cursor.ts';
import { createSilenceLimit } from './silence-limit.ts';
import { createSteps, type FeedStep } from './steps.ts';
import { type OwnDocument, readEvent, type StreamEvent } from './stream-event.ts';

export interface FeedOptions {
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;
  /** Steps after this moment of the cluster. */
  readonly after: mongo.Timestamp;
  readonly ownDocument: OwnDocument;
  readonly onStep: (step: FeedStep) => void;
  /** It does not go on where it broke: what it did not tell is lost to it. */
  readonly onLost: (cause: unknown) => void;
  /** It broke, and goes on by itself where it was: said once until it follows again. */
  readonly onBroken: (cause: unknown) => void;
  readonly onMended: () => void;
}

export interface ChangeFeed {
  close(): Promise<void>;
}

/** The server answers at the first event, and after so long without one. */
const maxAwaitTimeMS = 500;
/** Longer than it takes to be answered; the driver itself would wait for a dead server, and then to say goodbye to it. */
const answersWithinMs = maxAwaitTimeMS + 2_500;
/** To find where it was in a long history takes its time. */
const opensWithinMs = 30_000;
const reopenMs = 200;

/**
 * Codes of the server that no repetition mends: ChangeStreamFatalError, ChangeStreamHistoryLost, and
 * BSONObjectTooLarge, a change to a document so large that no event holds it.
 */
const historyLost = new Set([280, 286, 10_334]);

const cursorNotFound = 43;

const losses = ['drop', 'rename', 'dropDatabase', 'invalidate'];
/** With the document as it was left. */
const changing = ['insert', 'update', 'replace'];

const followedEvents = {
  $or: [
    { 'ns.coll': { $in: ['services', 'definitions'] } },
    {
      'ns.coll': { $in: ['tombstones', 'writes'] },
      operationType: { $in: changing },
    },
    { 'ns.coll': 'state', 'documentKey._id': 'barrier' },
    { operationType: { $in: losses } },
  ],
};

export function openChangeFeed({
  client,
  db,
  after,
  ownDocument,
  onStep,
  onLost,
  onBroken,
  onMended,
}: FeedOptions): ChangeFeed {
  let cursor: Promise<ChangeCursor> | undefined;
  let resumeAfter: unknown;
  let broken = false;
  /** It is opened anew; nobody is told, unless that breaks too. */
  let isRetried = false;
  let closed = false;
  const silence = createSilenceLimit('the database says nothing');

  const steps = createSteps(
    (step) => {
      try {
        onStep(step);
      } catch (cause) {
        throw new HistoryGone('a change could not be followed', { cause });
      }
    },
    () => {
      throw new HistoryGone('more was told of a moment that was told of already');
    },
  );

  async function follow(): Promise<void> {
    await silence.within(answersWithinMs, db.command({ ping: 1 })); // waits for a primary
    const start = resumeAfter === undefined ? { startAtOperationTime: after } : { resumeAfter };
    cursor = openChangeCursor({ client, db, match: followedEvents, start, maxAwaitTimeMS });
    const opened = await silence.within(opensWithinMs, cursor);
    while (!closed) {
      const { events, isFull, resumeToken } = await silence.within(answersWithinMs, opened.next());
      if (broken) onMended();
      broken = false;
      isRetried = false;
      for (const bytes of events) {
        const event = readEvent(bytes, ownDocument);
        if (losses.includes(event.operationType))
          throw new HistoryGone(`the database saw ${event.operationType}`);
        if (lacksDocument(event)) throw new HistoryGone('what a document was then is not kept any more');
        steps.take(event);
      }
      steps.endBatch({ isEmpty: events.length === 0, isFull });
      // Also where nothing came that we follow: what is long past may be gone from the server's history.
      resumeAfter = resumeToken;
    }
  }

  /** Also where it is opened too late. */
  function leave(): void {
    cursor?.then(
      (opened) => opened.close(),
      () => {},
    );
    cursor = undefined;
  }

  async function run(): Promise<void> {
    while (!closed) {
      try {
        await follow();
      } catch (error) {
        if (closed) return;
        if (isHistoryGone(error)) {
          onLost(error);
          return;
        }
        leave();
        if (isRetried || !isResumable(error)) {
          if (!broken) onBroken(error);
          broken = true;
        }
        isRetried = true;
        await new Promise((resolve) => setTimeout(resolve, reopenMs));
      }
    }
  }

  const running = run().finally(silence.end);
  return {
    async close() {
      closed = true;
      leave();
      silence.end();
      await running;
    },
  };
}

/** The server it was at went, or is the primary no more: another one goes on with it. */
function isResumable(error: unknown): boolean {
  if (error instanceof mongo.MongoNetworkError) return true;
  if (!(error instanceof mongo.MongoServerError)) return false;
  return error.code === cursorNotFound || error.hasErrorLabel('ResumableChangeStreamError');
}

class HistoryGone extends Error {
  readonly code = 280;
}

function isHistoryGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && historyLost.has(error.code as number);
}

/** A post-image is kept for some time only; without it an update would look like a deletion. */
function lacksDocument({ operationType, fullDocument }: StreamEvent): boolean {
  return changing.includes(operationType) && (fullDocument ?? null) === null;
}
