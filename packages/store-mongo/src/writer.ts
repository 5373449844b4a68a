// Carries operations out: an instance that joins goes with others in one unordered bulk, everything else alone
// or in one transaction. A lost race is told, never hidden.
import { randomBytes } from 'node:crypto';
import type { Raced } from '@reg/registry';
import type { ServiceDefinition } from '@reg/schema';
import { mongo } from 'mongoose';
import { answersSoon, answersSoonMs } from './answers-soon.ts';
import type { Collections, ServiceDocument } from './documents.ts';
import { type Operation, originOf, type WriteName } from './plan.ts';
import type { DatabaseNow, WritablePeriod } from './writable.ts';

export interface WriterOptions {
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;
  readonly collections: Collections;
  /** When the database could be written to: a lease was not renewed for that long at most. */
  readonly writable: () => WritablePeriod | undefined;
  readonly databaseNow: DatabaseNow;
}

type WriteOptions = Pick<mongo.CommandOperationOptions, 'session' | 'writeConcern'>;

export interface Writer {
  /** @param isWanted asked before it is sent. @throws what the database says */
  write(
    operations: readonly Operation[],
    name: WriteName,
    isWanted?: () => boolean,
  ): Promise<'written' | Raced>;
  /** One operation alone. @returns false where what it replaces has moved on. @throws what the database says */
  carryOut(operation: Operation, options?: WriteOptions): Promise<boolean>;
}

/** Of 256 kB at most, which is what a registration may have: the command has room for 16 MB. */
const bulkAtMost = 64;
/** While the database writes one, this process makes the next. */
const bulksAtOnce = 2;
const duplicateKey = 11_000;
/**
 * NotWritablePrimary and its kin, where the driver does not repeat the write itself.
 * https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
 */
const primaryGone = new Set([6, 7, 89, 91, 189, 262, 9_001, 10_107, 11_600, 11_602, 13_435, 13_436]);
const unknownOutcome = ['RetryableWriteError', 'TransientTransactionError', 'UnknownTransactionCommitResult'];
const commitAttempts = 3;
const tooLate = 'the database took too long: nobody waits for this write any more';

export const writeConcern = { w: 'majority', journal: true } as const;

interface Insert {
  readonly document: ServiceDocument;
  readonly isWanted: () => boolean;
  readonly settle: (result: 'written' | Raced) => void;
  readonly fail: (cause: unknown) => void;
}

interface RefusedDocument {
  readonly index: number;
  readonly code: number;
}

interface InsertReply {
  readonly writeErrors?: readonly RefusedDocument[];
}

export function createWriter({ client, db, collections, writable, databaseNow }: WriterOptions): Writer {
  const { services, definitions, leases, tombstones, writes } = collections;
  let waiting: Insert[] = [];
  let bulks = 0;

  function insert(document: ServiceDocument, isWanted: () => boolean): Promise<'written' | Raced> {
    return new Promise((settle, fail) => {
      waiting.push({ document, isWanted, settle, fail });
      if (waiting.length === 1) setImmediate(sendBulks);
    });
  }

  function sendBulks(): void {
    for (const { isWanted, fail } of waiting) if (!isWanted()) fail(new Error(tooLate));
    waiting = waiting.filter(({ isWanted }) => isWanted());
    while (waiting.length > 0 && bulks < bulksAtOnce) {
      sendBulk(waiting.slice(0, bulkAtMost));
      waiting = waiting.slice(bulkAtMost);
    }
  }

  function sendBulk(inserts: readonly Insert[]): void {
    bulks += 1;
    insertAll(inserts)
      .catch((cause: unknown) => (isOfDocuments(cause) ? insertEach(inserts) : failAll(inserts, cause)))
      .finally(() => {
        bulks -= 1;
        sendBulks();
      });
  }

  /** One of them cannot be sent, or is refused with all that came with it: the others are not to suffer for it. */
  async function insertEach(inserts: readonly Insert[]): Promise<void> {
    for (const one of inserts) {
      if (one.isWanted()) await insertAll([one]).catch(one.fail);
      else one.fail(new Error(tooLate));
    }
  }

  /** The command itself: the driver's `bulkWrite` measures each document, at the price of writing it out twice. */
  async function insertAll(inserts: readonly Insert[]): Promise<void> {
    const documents = inserts.map(({ document }) => document);
    const { w, journal: j } = writeConcern;
    const command = { insert: services.collectionName, documents, ordered: false, writeConcern: { w, j } };
    const { writeErrors = [] } = await insertCommand(command);
    const refused = new Map(writeErrors.map(({ index, code }) => [index, code]));
    for (const [index, { settle, fail }] of inserts.entries()) {
      const code = refused.get(index);
      if (code === undefined) settle('written');
      else if (code === duplicateKey) settle('raced');
      else fail(new Error(`the database refused the document with code ${code}`));
    }
  }

  async function insertCommand(command: mongo.Document): Promise<InsertReply> {
    const late = AbortSignal.timeout(answersSoonMs);
    try {
      return (await db.command(command, { signal: late })) as InsertReply;
    } catch (error) {
      // As where the connection broke: perhaps it was done.
      throw late.aborted ? new mongo.MongoNetworkTimeoutError('the database does not answer') : error;
    }
  }

  /** @returns false where what it replaces has moved on */
  async function carryOut(operation: Operation, as: WriteOptions = { writeConcern }): Promise<boolean> {
    const options = { ...as, ...answersSoon };
    switch (operation.kind) {
      case 'insert-instance':
        await services.insertOne(operation.document, options);
        return true;
      case 'replace-instance': {
        const { _id, ...document } = operation.document;
        const filter = { _id: operation.before.id, ...beforeOf(operation.before.write) };
        return (await services.replaceOne(filter, document, options)).matchedCount === 1;
      }
      case 'delete-instance': {
        const filter = { _id: operation.before.id, ...beforeOf(operation.before.write) };
        return (await services.deleteOne(filter, options)).deletedCount === 1;
      }
      case 'insert-definition':
        await definitions.insertOne(operation.document, options);
        return true;
      case 'replace-definition': {
        const { _id, ...document } = operation.document;
        const replaced = await definitions.replaceOne(
          { _id, ...definitionLeft(operation.before) },
          document,
          options,
        );
        return replaced.matchedCount === 1;
      }
      case 'delete-definition': {
        const filter = { _id: operation.name, ...definitionLeft(operation.before) };
        return (await definitions.deleteOne(filter, options)).deletedCount === 1;
      }
      case 'free-names': {
        const free = `moving ${randomBytes(8).toString('hex')}`;
        await definitions.updateOne({ _id: operation.name }, { $set: { path: free } }, options);
        return true;
      }
      case 'share': {
        const { name, url, authorizedRoles, access } = operation.definition;
        const update =
          access === 'token'
            ? { $set: { url, authorizedRoles }, $unset: { access: '' as const } }
            : { $set: { url, authorizedRoles, access } };
        const { former } = operation;
        await services.updateMany({ name, ...(former && sharedBy(former)) }, update, options);
        return true;
      }
      case 'bury':
        await tombstones.replaceOne({ _id: operation.tombstone._id }, withoutId(operation.tombstone), {
          ...options,
          upsert: true,
        });
        return true;
      case 'end-lease':
        return endLease(operation, options);
    }
  }

  async function endLease(
    { id, overdueMs }: Extract<Operation, { kind: 'end-lease' }>,
    options: WriteOptions,
  ): Promise<boolean> {
    if (overdueMs === undefined) {
      await leases.deleteOne({ _id: id }, options);
      return true;
    }
    const period = writable();
    if (!period) return false;
    const now = databaseNow();
    const renewedAt = { $max: ['$renewedAt', period.since] };
    // A command that waited in a line that was cut is done late, after a time in which nobody could renew.
    const inTime = { $lte: [now, period.until] };
    const overdue = { $expr: { $and: [inTime, { $lte: [renewedAt, { $subtract: [now, overdueMs] }] }] } };
    return (await leases.deleteOne({ _id: id, ...overdue }, options)).deletedCount === 1;
  }

  async function inTransaction(
    operations: readonly Operation[],
    { write, at, notes, ...who }: WriteName,
    isWanted: () => boolean,
  ) {
    const session = client.startSession();
    try {
      session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern });
      for (const operation of operations) {
        if (await carryOut(operation, { session })) continue;
        await session.abortTransaction();
        return 'raced';
      }
      const noted = { ...originOf(who), ...(notes && { notes }) };
      await writes.insertOne(
        { _id: write, at, ...noted, writtenAt: new Date() },
        { session, ...answersSoon },
      );
      if (!isWanted()) throw new Error(tooLate);
      await commit(session);
      return 'written';
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction();
      if (isRace(error)) return 'raced';
      throw error;
    } finally {
      await session.endSession();
    }
  }

  return {
    carryOut,
    async write(operations, name, isWanted = () => true) {
      const [only] = operations;
      if (operations.length > 1 || !only || !namesItsWrite(only))
        return inTransaction(operations, name, isWanted);
      if (only.kind === 'insert-instance') return insert(only.document, isWanted);
      try {
        return (await carryOut(only)) ? 'written' : 'raced';
      } catch (error) {
        if (isRace(error)) return 'raced';
        throw error;
      }
    },
  };
}

/** The answer to a commit may be lost: asked again, the server says what became of it. */
async function commit(session: mongo.ClientSession): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      const unknown =
        error instanceof mongo.MongoError && error.hasErrorLabel('UnknownTransactionCommitResult');
      if (!unknown || attempt === commitAttempts) throw error;
    }
  }
}

/** Somebody else wrote the same: a document that is there already, or one that another transaction holds. */
export function isRace(error: unknown): boolean {
  if (!(error instanceof mongo.MongoServerError)) return false;
  return error.code === duplicateKey || error.code === 112 || error.code === 251;
}

/** The connection broke, or the primary changed, after it was sent: perhaps it was done. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof mongo.MongoNetworkError || error instanceof mongo.MongoWriteConcernError) return true;
  if (!(error instanceof mongo.MongoError)) return false;
  if (error instanceof mongo.MongoServerError && primaryGone.has(Number(error.code))) return true;
  return unknownOutcome.some((label) => error.hasErrorLabel(label));
}

/** Of the command: what it holds could not be written out, or the database refused it as a whole. */
function isOfDocuments(error: unknown): boolean {
  if (error instanceof mongo.MongoServerError) return !isOutcomeUnknown(error);
  return !(error instanceof mongo.MongoError); // the driver's own word for lines and servers
}

function failAll(inserts: readonly Insert[], cause: unknown): void {
  for (const { fail } of inserts) fail(cause);
}

/** A document that goes, or that goes without it, does not say by which write. */
function namesItsWrite({ kind }: Operation): boolean {
  return kind.startsWith('insert-') || kind.startsWith('replace-');
}

function beforeOf(write: string | undefined) {
  return { 'reg.write': write ?? ({ $not: { $type: 'string' } } as const) };
}

function sharedBy({ url, authorizedRoles, access }: ServiceDefinition) {
  const said = access === 'token' ? { $in: [null, 'token'] } : access;
  return { url, authorizedRoles: { $eq: authorizedRoles }, access: said };
}

/** Null: somebody edited it so that it names no write. */
function definitionLeft(write: string | null) {
  return write === null ? ({ write: { $not: { $type: 'string' } } } as const) : { write };
}

function withoutId<Document extends { _id: string }>({ _id, ...rest }: Document): Omit<Document, '_id'> {
  return rest;
}
