// What happens to the documents, whoever does it: a change stream over the whole database, cut into
// transactions. It survives elections and lost connections by itself (resume token); where the history is
// gone, it says so once and ends.
import type { mongo } from 'mongoose';
import type { Step } from './database.ts';
import type { DefinitionDocument, DocumentId, TombstoneDocument, WriteDocument } from './documents.ts';
import type { DocumentEvent } from './mirror.ts';
import { revisionOf } from './revision.ts';

interface FeedStep extends Step {
  /** Whose barrier moved, if it is one. */
  readonly barrier: string | undefined;
}

export interface FeedOptions {
  readonly db: mongo.Db;
  /** Steps after this moment of the cluster. */
  readonly after: mongo.Timestamp;
  readonly onStep: (step: FeedStep) => void;
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

export function openChangeFeed({ db, after, onStep, onLost }: FeedOptions): ChangeFeed {
  let pending: { step: StreamEvent[]; transaction: string } | undefined;
  let flushing: NodeJS.Timeout | undefined;
  let stream: mongo.ChangeStream | undefined;
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

  async function follow(): Promise<void> {
    stream = db.watch(pipeline, {
      fullDocument: 'whenAvailable',
      ...(resumeAfter === undefined ? { startAtOperationTime: after } : { resumeAfter }),
    });
    for await (const event of stream) {
      if (isLoss(event)) throw new HistoryGone(`the database saw ${event.operationType}`);
      take(event as StreamEvent);
      resumeAfter = event._id;
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

  const running = run();
  return {
    async close() {
      closed = true;
      clearTimeout(flushing);
      await stream?.close();
      await running;
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

function toStep(events: readonly StreamEvent[]): FeedStep {
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
