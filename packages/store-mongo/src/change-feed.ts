// What happens to the documents, whoever does it: a change stream over the whole database, cut into
// transactions. It survives elections and lost connections by itself (resume token); where the history is
// gone, it says so once and ends.
import { mongo } from 'mongoose';
import type { DefinitionDocument, DocumentId, TombstoneDocument, WriteDocument } from './documents.ts';
import type { DocumentEvent } from './mirror.ts';
import { revisionOf } from './revision.ts';

/** All events of one transaction, or of one write alone. */
export interface Step {
  readonly revision: number;
  readonly events: readonly DocumentEvent[];
  /** When it was written, in milliseconds since 1970 by its writer's clock; undefined for a hand edit. */
  readonly at: number | undefined;
  /** The name of the transaction, if a registry made it. */
  readonly write: string | undefined;
  /** Whose barrier moved, if it is one. */
  readonly barrier: string | undefined;
}

export interface FeedOptions {
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;
  /** Steps after this moment of the cluster. */
  readonly after: mongo.Timestamp;
  readonly onStep: (step: Step) => void;
  /** It does not go on where it broke: what it did not tell is lost to it. */
  readonly onLost: (cause: unknown) => void;
}

export interface ChangeFeed {
  close(): Promise<void>;
}

/** Somebody's own transaction has no last document of ours: it is whole when nothing came for so long. */
const foreignTransactionMs = 500;
const reopenMs = 200;

/** Codes of the server that no repetition mends: ChangeStreamFatalError, ChangeStreamHistoryLost, and an invalidated stream. */
const historyLost = new Set([280, 286]);

const pipeline = [
  {
    $match: {
      $or: [
        { 'ns.coll': { $in: ['services', 'definitions'] } },
        {
          'ns.coll': { $in: ['tombstones', 'writes'] },
          operationType: { $in: ['insert', 'update', 'replace'] },
        },
        { 'ns.coll': 'state', 'documentKey._id': 'barrier' },
        { operationType: { $in: ['dropDatabase', 'invalidate'] } },
      ],
    },
  },
];

type StreamEvent = mongo.ChangeStreamDocument<mongo.Document>;

/** What the server answers to `aggregate` and `getMore`. */
interface Batch {
  readonly id: unknown;
  readonly firstBatch?: readonly StreamEvent[];
  readonly nextBatch?: readonly StreamEvent[];
  /** Goes on even where nothing of ours happens, so that the history never leaves it behind. */
  readonly postBatchResumeToken: unknown;
}

/** An answer without events comes after this long, so that a lost connection is found out. */
const awaitMs = 1_000;

export function openChangeFeed({ client, db, after, onStep, onLost }: FeedOptions): ChangeFeed {
  let pending: { step: StreamEvent[]; transaction: string } | undefined;
  let flushing: NodeJS.Timeout | undefined;
  /** Names the cursor to whoever ends it. */
  let cursor: mongo.Long | undefined;
  let resumeAfter: unknown;
  let closed = false;

  function flush(): void {
    clearTimeout(flushing);
    const step = pending?.step;
    pending = undefined;
    if (step) onStep(toStep(step));
  }

  function take(event: StreamEvent): void {
    const transaction = transactionOf(event);
    if (pending && pending.transaction !== transaction) flush();
    if (transaction === undefined) {
      onStep(toStep([event]));
      return;
    }
    if (pending) pending.step.push(event);
    else pending = { step: [event], transaction };
    if (collectionOf(event) === 'writes') flush();
    else {
      clearTimeout(flushing);
      flushing = setTimeout(flush, foreignTransactionMs);
    }
  }

  /** By commands, since the driver's own stream takes one turn of the event loop and more for each event. */
  async function follow(): Promise<void> {
    const from = resumeAfter === undefined ? { startAtOperationTime: after } : { resumeAfter };
    const $changeStream = { fullDocument: 'whenAvailable', ...from };
    const session = client.startSession({ causalConsistency: false });
    try {
      let batch = await ask({ aggregate: 1, pipeline: [{ $changeStream }, ...pipeline], cursor: {} });
      while (!closed) {
        for (const event of batch.firstBatch ?? batch.nextBatch ?? []) {
          if (isLoss(event)) throw new HistoryGone(`the database saw ${event.operationType}`);
          take(event);
          resumeAfter = event._id;
        }
        resumeAfter = batch.postBatchResumeToken;
        cursor = mongo.Long.fromString(String(batch.id));
        batch = await ask({ getMore: cursor, collection: '$cmd.aggregate', maxTimeMS: awaitMs });
      }
    } finally {
      await session.endSession();
    }

    async function ask(command: mongo.Document): Promise<Batch> {
      const { cursor: answer } = await db.command(command, { session, readPreference: 'primary' });
      return answer;
    }
  }

  /** A `getMore` that waits is let go: what it still brings is not looked at. */
  async function endCursor(): Promise<void> {
    if (cursor === undefined) return;
    try {
      await db.command({ killCursors: '$cmd.aggregate', cursors: [cursor] });
    } catch {
      // The database is away, and its cursor with it.
    }
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
        await new Promise((resolve) => setTimeout(resolve, reopenMs));
      }
    }
  }

  void run();
  return {
    async close() {
      closed = true;
      clearTimeout(flushing);
      await endCursor();
    },
  };
}

class HistoryGone extends Error {
  readonly code = 280;
}

function isHistoryGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && historyLost.has(error.code as number);
}

const isLoss = ({ operationType }: { operationType: string }) =>
  operationType === 'dropDatabase' ||
  operationType === 'invalidate' ||
  operationType === 'drop' ||
  operationType === 'rename';

function collectionOf(event: StreamEvent): string | undefined {
  return 'ns' in event && 'coll' in event.ns ? event.ns.coll : undefined;
}

function transactionOf(event: StreamEvent): string | undefined {
  const { lsid, txnNumber } = event as { lsid?: { id: { toString(): string } }; txnNumber?: unknown };
  return txnNumber === undefined || lsid === undefined
    ? undefined
    : `${String(lsid.id)} ${String(txnNumber)}`;
}

function toStep(events: readonly StreamEvent[]): Step {
  const [first] = events;
  const clusterTime = first?.clusterTime;
  if (!clusterTime) throw new TypeError('an event without its time');
  let at: number | undefined;
  let write: string | undefined;
  let barrier: string | undefined;
  const documents: DocumentEvent[] = [];
  for (const event of events) {
    const { documentKey, fullDocument } = event as mongo.ChangeStreamInsertDocument;
    const id: unknown = documentKey?._id;
    const document = event.operationType === 'delete' ? undefined : fullDocument;
    switch (collectionOf(event)) {
      case 'services':
        documents.push({ collection: 'services', id: id as DocumentId, document });
        at ??= (document?.reg as { at?: number } | undefined)?.at;
        break;
      case 'definitions':
        documents.push({
          collection: 'definitions',
          id: String(id),
          document: document as DefinitionDocument | undefined,
        });
        at ??= (document as DefinitionDocument | undefined)?.at;
        break;
      case 'tombstones':
        if (document)
          documents.push({ collection: 'tombstones', document: document as unknown as TombstoneDocument });
        break;
      case 'writes':
        ({ _id: write, at } = document as unknown as WriteDocument);
        break;
      default:
        barrier = (document as { by?: string } | undefined)?.by;
    }
  }
  return { revision: revisionOf(clusterTime), events: documents, at, write, barrier };
}
