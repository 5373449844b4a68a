// A cursor over the changes of a whole database, read a batch at a time: the driver's own change stream gives one
// event after the other, each by promises of its own, which cost a fifth of a whole registration.
// https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md
import { mongo } from 'mongoose';

/** Where it begins: after an event, by the token that came with it, or at a moment of the cluster. */
type Start = { readonly resumeAfter: unknown } | { readonly startAtOperationTime: mongo.Timestamp };

interface Batch {
  /** Each in BSON. */
  readonly events: readonly Uint8Array[];
  /** As much as fits was there, so the server may have cut it anywhere. */
  readonly isFull: boolean;
  /** Where to go on after this batch, be it empty: for `resumeAfter`. */
  readonly resumeToken: unknown;
}

export interface ChangeCursor {
  /** What has happened since, or nothing after `maxAwaitTimeMS`. @throws what the database says: it is gone then */
  next(): Promise<Batch>;
  /** Not waited for: a server that is away ends it by itself. */
  close(): void;
}

export interface ChangeCursorOptions {
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;
  /** Of the events, at the server. */
  readonly match: mongo.Document;
  readonly start: Start;
  readonly maxAwaitTimeMS: number;
}

/** So that nothing else waits long while a batch is followed. */
const batchSize = 500;
/** The server cuts a batch before the event that would make it larger than 16 MB. */
const fullBytes = 8 * 1024 * 1024;
const asBytes = { fieldsAsRaw: { firstBatch: true, nextBatch: true } };

interface CursorReply {
  readonly cursor: {
    readonly id: number | mongo.Long;
    readonly firstBatch?: readonly Uint8Array[];
    readonly nextBatch?: readonly Uint8Array[];
    readonly postBatchResumeToken: unknown;
  };
}

/** @throws what the database says */
export async function openChangeCursor({
  client,
  db,
  match,
  start,
  maxAwaitTimeMS,
}: ChangeCursorOptions): Promise<ChangeCursor> {
  const session = client.startSession({ causalConsistency: false }); // a cursor is read in the session that opened it
  const run = async (command: mongo.Document): Promise<CursorReply['cursor']> => {
    const reply = await db.command(command, { session, ...asBytes });
    return (reply as CursorReply).cursor;
  };
  const end = () => void session.endSession().catch(() => {});

  const opening = run({
    aggregate: 1,
    pipeline: [{ $changeStream: { fullDocument: 'whenAvailable', ...start } }, { $match: match }],
    cursor: { batchSize },
  });
  const {
    id,
    firstBatch = [],
    postBatchResumeToken,
  } = await opening.catch((error: unknown) => {
    end();
    throw error;
  });
  const cursorId = mongo.Long.fromValue(id);
  let first: Batch | undefined = toBatch(firstBatch, postBatchResumeToken);

  return {
    async next() {
      if (first) {
        const batch = first;
        first = undefined;
        return batch;
      }
      const getMore = {
        getMore: cursorId,
        collection: '$cmd.aggregate',
        batchSize,
        maxTimeMS: maxAwaitTimeMS,
      };
      const { nextBatch = [], postBatchResumeToken: resumeToken } = await run(getMore);
      return toBatch(nextBatch, resumeToken);
    },
    close() {
      db.command({ killCursors: '$cmd.aggregate', cursors: [cursorId] }, { session }).then(end, end);
    },
  };
}

function toBatch(events: readonly Uint8Array[], resumeToken: unknown): Batch {
  const bytes = events.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { events, isFull: events.length >= batchSize || bytes >= fullBytes, resumeToken };
}
