// A standalone server tells no changes and knows no transactions. So one registry is there (lock.ts), does one
// write after the other, numbers them itself, and looks every so often for what others did by hand.
import type { Clock, Raced } from '@reg/registry';
import type { Connection, mongo } from 'mongoose';
import { collectionIds } from './collection-ids.ts';
import type { Database, Listener } from './database.ts';
import { readDocumentBytes } from './document-bytes.ts';
import type { Collections } from './documents.ts';
import { keptEpoch } from './epoch.ts';
import { errorText } from './error-text.ts';
import { createIntents, type IntendedOperation } from './intents.ts';
import { isCurrent } from './is-current.ts';
import { createKeptRevision } from './kept-revision.ts';
import { createLock, Lost, renewEveryMs } from './lock.ts';
import type { DocumentEvent } from './mirror.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { Operation, WriteName } from './plan.ts';
import { prepareCollections } from './prepare-collections.ts';
import { createSeenDocuments } from './seen-documents.ts';
import { readTombstone } from './tombstone-document.ts';
import type { DatabaseNow } from './writable.ts';
import { writeCounts } from './write-counts.ts';
import { isRace, type Writer } from './writer.ts';

export interface StandaloneOptions {
  readonly connection: Connection;
  readonly db: mongo.Db;
  readonly collections: Collections;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly databaseNow: DatabaseNow;
  readonly log: (line: string) => void;
}

/** An instance that joins a service which is there. */
interface Joining {
  readonly operation: Operation;
  readonly name: WriteName;
  readonly settle: (written: 'written' | Raced) => void;
  readonly fail: (cause: unknown) => void;
}

const askEveryMs = 200;
/** Whatever the server's counters say. */
const lookAtLeastEveryMs = 60_000;
/** Looks take a quarter of the time at most, however much there is to look at; who rested long looks at once. */
const timePerLook = 4;
const savedAtMostMs = 20_000;

export function openStandalone({
  connection,
  db,
  collections,
  writer,
  clock,
  databaseNow,
  log,
}: StandaloneOptions): Database {
  const seen = createSeenDocuments(collections);
  const lock = createLock({ collections, clock, databaseNow });
  const revision = createKeptRevision(collections);
  const intents = createIntents(collections, writer);
  const stops: (() => void)[] = [];
  let joining: Joining[] = [];
  let listener: Listener | undefined;
  let epoch: string | undefined;
  let known: string | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  /** Something went wrong in the middle: what became of it is looked up before anything else is written. */
  let unsure = false;
  let looking = false;
  let restUntil = Number.NEGATIVE_INFINITY;
  let lookFault: string | undefined;
  /** What the server had counted before the last look, and when that was. */
  let counted: string | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  // Where the database is away, whoever writes hears of it: the lock is renewed before each write, if need be.
  const renewals = oneAtATime(() => lock.renew().catch(checkLost));

  /** One after the other, whatever becomes of the one before. */
  function inTurn<Result>(job: () => Promise<Result>): Promise<Result> {
    const done = turn.then(job, job);
    turn = done.catch(() => {}); // whoever asked for it hears of it
    return done;
  }

  function whileHeld<Result>(job: () => Promise<Result>): Promise<Result> {
    return inTurn(async () => {
      if (!listener) throw new Error('everything is being read anew');
      try {
        await lock.hold();
        await revision.reserve();
        if (unsure) await lookUp();
        return await job();
      } catch (error) {
        unsure = true;
        checkLost(error);
        throw error;
      }
    });
  }

  function checkLost(error: unknown): void {
    if (!(error instanceof Lost)) return;
    const told = listener;
    listener = undefined;
    told?.onLost(error);
  }

  async function lookUp(): Promise<void> {
    for (const { operations, ...name } of await intents.finish()) tell(await seen.eventsOf(operations), name);
    await look();
    unsure = false;
  }

  async function look(): Promise<void> {
    tellFound(await seen.look());
  }

  async function checkCollections(): Promise<void> {
    if ((await collectionIds(db)) !== known) throw new Lost('somebody dropped a collection');
  }

  function tellFound(found: () => readonly DocumentEvent[]): void {
    const events = found();
    if (events.length > 0) tell(events);
  }

  /** @param name left out: by hand */
  function tell(events: readonly DocumentEvent[], name?: Partial<WriteName>): void {
    const { at, write, notes, by, from } = name ?? {};
    const part = { events, at, write, origin: { by, from }, notes };
    listener?.onStep({ revision: revision.next(), parts: [part] });
  }

  async function lookAround(): Promise<void> {
    if (looking || !listener || clock.now() < restUntil) return;
    looking = true;
    const begunAt = clock.now();
    try {
      const counts = await writeCounts(db);
      const isQuiet = counts === counted && lookFault === undefined;
      if (isQuiet && begunAt - lookedAt < lookAtLeastEveryMs) return;
      const found = await seen.look();
      await whileHeld(async () => {
        await checkCollections();
        tellFound(found);
      });
      counted = counts;
      lookedAt = begunAt;
      if (lookFault !== undefined) log('hand edits are seen again');
      lookFault = undefined;
    } catch (error) {
      const fault = errorText(error);
      if (lookFault === undefined && listener) log(`hand edits are not seen at the moment: ${fault}`);
      lookFault = fault;
    } finally {
      looking = false;
      restUntil = Math.max(restUntil, begunAt - savedAtMostMs) + timePerLook * (clock.now() - begunAt);
    }
  }

  async function writeOne(operation: Operation, name: WriteName): Promise<'written' | Raced> {
    try {
      if (!(await writer.carryOut(operation))) return 'raced';
    } catch (error) {
      if (isRace(error)) return 'raced';
      throw error;
    }
    tell(await seen.eventsOf([operation]), name);
    return 'written';
  }

  /** Where it ends between, a lease that has gone already begins anew, and nothing else has happened. */
  async function writeAll(operations: readonly Operation[], name: WriteName): Promise<'written' | Raced> {
    const intended: IntendedOperation[] = [];
    for (const operation of operations) {
      if (operation.kind !== 'end-lease') intended.push(operation);
      else if (!(await writer.carryOut(operation))) return 'raced';
    }
    if (!(await isCurrent(collections, intended))) return 'raced';
    await intents.carryOut({ ...name, operations: intended });
    tell(await seen.eventsOf(intended), name);
    return 'written';
  }

  function join(operation: Operation, name: WriteName): Promise<'written' | Raced> {
    return new Promise((settle, fail) => {
      joining.push({ operation, name, settle, fail });
      if (joining.length === 1) void whileHeld(joinAll).catch(failAll);
    });
  }

  /** Who came meanwhile go together, so that they wait for the disk once. */
  async function joinAll(): Promise<void> {
    const together = joining;
    joining = [];
    const written = await Promise.allSettled(
      together.map(({ operation, name }) => writer.write([operation], name)),
    );
    for (const [index, { operation, name, settle, fail }] of together.entries()) {
      const one = written[index];
      if (one?.status !== 'fulfilled') {
        unsure = true;
        fail(one?.reason);
        continue;
      }
      if (one.value === 'written') tell(await seen.eventsOf([operation]), name);
      settle(one.value);
    }
  }

  /** They never had their turn. */
  function failAll(cause: unknown): void {
    const together = joining;
    joining = [];
    for (const { fail } of together) fail(cause);
  }

  async function databaseTime(): Promise<Date> {
    const now = databaseNow();
    return now === '$$NOW' ? (await db.command({ hello: 1 })).localTime : now;
  }

  return {
    kind: 'standalone',
    load: () =>
      inTurn(async () => {
        await lock.acquire();
        await prepareCollections(connection, { changeStream: false });
        epoch = await keptEpoch(collections, epoch);
        await intents.finish();
        unsure = false;
        const position = { epoch, revision: await revision.load(await databaseTime()) };
        const kept: unknown[] = await collections.tombstones.find({}, { raw: true }).toArray();
        const tombstones = kept
          .map((bytes) => readTombstone(readDocumentBytes(bytes as Uint8Array)))
          .filter((one) => one !== undefined);
        const documents = await seen.load();
        known = await collectionIds(db);
        return { ...position, ...documents, tombstones };
      }),
    follow(next) {
      listener = next;
      if (stops.length > 0) return;
      stops.push(
        clock.every(renewEveryMs, renewals.start),
        clock.every(askEveryMs, () => void lookAround()),
      );
    },
    write(operations, name) {
      const [first] = operations;
      if (operations.length > 1 || !first || !isOneDocument(first)) {
        return whileHeld(() => writeAll(operations, name));
      }
      if (first.kind === 'insert-instance') return join(first, name);
      return whileHeld(() => writeOne(first, name));
    },
    async mend(operation) {
      await whileHeld(() => writeOne(operation, { write: '', at: clock.now() }));
    },
    caughtUp: () => whileHeld(look),
    async close() {
      for (const stop of stops) stop();
      listener = undefined;
      await turn;
      await renewals.settled();
      try {
        await lock.release();
      } catch {
        // The database is away: the lock ends by itself.
      }
    },
  };
}

function isOneDocument({ kind }: Operation): boolean {
  return kind.startsWith('insert-') || kind.startsWith('replace-') || kind === 'delete-definition';
}
