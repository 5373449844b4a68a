// A store that many registries share: writes go to the database with their conditions, and every registry,
// the writer too, learns of them by the change stream. So all see the same, in the same order.
import { randomBytes } from 'node:crypto';
import {
  type Clock,
  canonicalPath,
  createChangeLog,
  createSystemClock,
  createView,
  type InstanceKey,
  instanceKey,
  instanceNameOf,
  type Store,
} from '@reg/registry';
import { type ChangeSet, regError, type ServiceDefinition, slug } from '@reg/schema';
import mongoose, { mongo } from 'mongoose';
import { type ChangeFeed, openChangeFeed, type Step } from './change-feed.ts';
import { createDefinitionsUnderWay } from './definitions-under-way.ts';
import { type DocumentId, openCollections } from './documents.ts';
import { idText } from './instance-document.ts';
import { type DatabaseNow, startLeases } from './leases.ts';
import { createMirror, healing, type InvalidDocument, type Meaning } from './mirror.ts';
import { type Operation, planWrite, type WriteName } from './plan.ts';
import { createPlanned } from './planned.ts';
import { readEverything } from './read-everything.ts';
import { revisionOf } from './revision.ts';
import { createWriter, writeConcern } from './writer.ts';

export interface MongoStoreOptions {
  /** `mongodb://host:port/database`; the database is `reg` where it names none. */
  readonly url: string;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default the database's own clock; tests hand in theirs */
  readonly databaseNow?: DatabaseNow;
  /** Change sets kept at least for those who follow. @default 10_000 */
  readonly logCapacity?: number;
  /** One line each time something happens that an operator should know. @default console.error */
  readonly log?: (line: string) => void;
}

export interface MongoStore extends Store {
  /** Documents that are left alone, and why. */
  invalid(): readonly InvalidDocument[];
}

/** An own write is seen within milliseconds; where it is not, the answer is that nobody knows. */
const seenWithinMs = 10_000;
const startWithinMs = 10_000;

/** @throws `store_unavailable` where no database answers within 10 s */
export async function openMongoStore({
  url,
  clock = createSystemClock(),
  databaseNow = () => '$$NOW',
  logCapacity,
  log: say = (line) => console.error(line),
}: MongoStoreOptions): Promise<MongoStore> {
  const connection = await mongoose
    .createConnection(url, {
      appName: 'reg',
      serverSelectionTimeoutMS: startWithinMs,
      writeConcern,
      readConcern: { level: 'majority' },
      maxPoolSize: 20,
      ...(new URL(url).pathname.length > 1 ? {} : { dbName: 'reg' }),
    })
    .asPromise();
  const database = databaseOf(connection);
  const client = connection.getClient();
  const collections = await openCollections(connection);
  const epoch = await knownEpoch();

  const self = randomBytes(6).toString('hex');
  const view = createView({ epoch, revision: 0 });
  const changeLog = createChangeLog(
    view.position,
    logCapacity === undefined ? {} : { capacity: logCapacity },
  );
  const planned = createPlanned();
  const definitions = createDefinitionsUnderWay();
  const mirror = createMirror(view, planned.take);
  const ownWrites = new Map<string, (seen: ChangeSet | 'raced') => void>();
  const barriers = new Map<string, () => void>();
  let writeCount = 0;
  /** Under way; and the one after it, which all share who come meanwhile. */
  let barrier: Promise<void> | undefined;
  let nextBarrier: Promise<void> | undefined;
  let feed: ChangeFeed | undefined;
  let closed = false;

  const leases = await startLeases({
    collections,
    view,
    clock,
    databaseNow,
    idOf: (key) => {
      const kept = mirror.documentOf(key);
      return kept && idText(kept.id);
    },
  });
  const writer = createWriter({ client, collections, writableSince: leases.writableSince, databaseNow });

  async function knownEpoch(): Promise<string> {
    const fresh = randomBytes(8).toString('hex');
    const document = await collections.state.findOneAndUpdate(
      { _id: 'epoch' },
      { $setOnInsert: { epoch: fresh } },
      { upsert: true, returnDocument: 'after' },
    );
    return document?.epoch ?? fresh;
  }

  /** Everything at one moment of the cluster, and then whatever comes after that moment. */
  async function load(): Promise<void> {
    const { atClusterTime, services, definitions, tombstones } = await readEverything(database);
    const { undefinedServices, leftDefinitions, ...kept } = mirror.load(services, definitions, tombstones);
    const position = { epoch, revision: revisionOf(atClusterTime) };
    view.restore(position, kept, clock.now());
    changeLog.restart(position);
    feed = openChangeFeed({ client, db: database, after: next(atClusterTime), onStep, onLost });
    await heal({ undefinedServices, leftDefinitions });
    // All registries have seen this barrier: whatever position this one tells, the others come to have it too.
    await caughtUp();
    changeLog.restart(view.position);
  }

  function onLost(cause: unknown): void {
    if (closed) return;
    say(
      `the history of the database is gone (${cause instanceof Error ? cause.message : String(cause)}): everything is read anew`,
    );
    void reload();
  }

  async function reload(): Promise<void> {
    while (!closed) {
      try {
        await feed?.close();
        await openCollections(connection);
        await load();
        return;
      } catch (error) {
        say(
          `reading everything anew did not work: ${error instanceof Error ? error.message : String(error)}`,
        );
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  }

  function onStep({ revision, events, at, write: transaction, barrier: moved }: Step): void {
    const now = clock.now();
    const meaning = mirror.follow(events, (change) => {
      view.apply({ revision, at: now, changes: [change] }, now);
    });
    view.advance(revision);
    const { changes, writes, refused } = meaning;
    const set: ChangeSet = { revision, at: at ?? now, changes: [...changes] };
    if (changes.length > 0) changeLog.append(set);
    for (const write of writes) ownWrites.get(write)?.(set);
    if (transaction !== undefined) ownWrites.get(transaction)?.(set);
    for (const { id, write } of refused) {
      ownWrites.get(write)?.('raced');
      void undo(id, write);
    }
    if (moved !== undefined) barriers.get(moved)?.();
    void heal(meaning);
  }

  /** Everybody does so who sees it; once is enough. */
  async function undo(id: DocumentId, write: string): Promise<void> {
    try {
      await collections.services.deleteOne({ _id: id, 'reg.write': write });
    } catch (error) {
      say(`a document that lost its race stays: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** What a hand edit left unsaid is written down, by whichever registry is first. */
  async function heal({
    undefinedServices,
    leftDefinitions,
  }: Pick<Meaning, 'undefinedServices' | 'leftDefinitions'>) {
    try {
      for (const definition of undefinedServices) await writeDown(definition);
      for (const _id of leftDefinitions) {
        const write = mirror.definitionWrite(_id);
        if (write !== undefined) await collections.definitions.deleteOne({ _id, write });
      }
    } catch (error) {
      if (error instanceof mongo.MongoServerError && error.code === 11_000) return;
      say(
        `what a hand edit means could not be written down: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  async function writeDown({ name, ...rest }: ServiceDefinition): Promise<void> {
    const document = {
      ...rest,
      path: canonicalPath(rest.url),
      slug: slug(name),
      write: `${healing}${nextWrite()}`,
      at: clock.now(),
    };
    const before = mirror.definitionWrite(name);
    if (before === undefined) await collections.definitions.insertOne({ _id: name, ...document });
    else await collections.definitions.replaceOne({ _id: name, write: before }, document);
  }

  const nextWrite = () => `${self}-${++writeCount}`;

  /** Resolves once this registry has seen everything that was written before. */
  function caughtUp(): Promise<void> {
    nextBarrier ??= (barrier ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        barrier = nextBarrier;
        nextBarrier = undefined;
        return moveBarrier();
      });
    return nextBarrier;
  }

  async function moveBarrier(): Promise<void> {
    const by = nextWrite();
    const seen = new Promise<void>((resolve) => barriers.set(by, resolve));
    try {
      await collections.state.replaceOne({ _id: 'barrier' }, { by }, { upsert: true, writeConcern });
      await within(seenWithinMs, seen);
    } finally {
      barriers.delete(by);
    }
  }

  function checkReplaced(replaces: ReadonlyMap<InstanceKey, number>): void {
    for (const [key, generation] of replaces) {
      const held = view.leases.get(key)?.generation ?? 0;
      if (held === generation) continue;
      const { service, id } = instanceNameOf(key);
      throw regError('generation_superseded', `instance ${id} of ${service} moved on to generation ${held}`);
    }
  }

  async function write(operations: readonly Operation[], name: WriteName): Promise<ChangeSet | 'raced'> {
    planned.expect(name.write, operations);
    const seen = new Promise<ChangeSet | 'raced'>((resolve) => ownWrites.set(name.write, resolve));
    try {
      const written = await writer.write(operations, name);
      const set = written === 'raced' ? 'raced' : await within(seenWithinMs, seen);
      if (set === 'raced') await caughtUp();
      else began(set);
      return set;
    } catch (cause) {
      throw regError('store_unavailable', faultOf(cause), { cause });
    } finally {
      ownWrites.delete(name.write);
      planned.forget(name.write);
    }
  }

  await load();
  return {
    view,
    invalid: mirror.invalid,
    nextRevision: () => view.position.revision + 1,
    async write(changes, replaces, now) {
      if (closed) throw regError('store_unavailable', 'the store is closed');
      checkReplaced(replaces);
      const former = definitions.underWay(changes);
      if (former) return former;
      const name = { write: nextWrite(), at: now };
      const written = write(planWrite(changes, view, mirror, name), name);
      definitions.begin(changes, written);
      return written;
    },
    async renew(renewals) {
      if (closed) throw regError('store_unavailable', 'the store is closed');
      return leases.renew(renewals);
    },
    refresh: leases.refresh,
    changes: changeLog.follow,
    async close() {
      if (closed) return;
      closed = true;
      changeLog.close();
      await leases.close();
      await feed?.close();
      await connection.close();
    },
  };

  function began({ changes }: ChangeSet): void {
    for (const change of changes) {
      if (change.kind !== 'instance-registered' || change.instance.lease === 'none') continue;
      leases.began(
        instanceKey({ service: change.service, id: change.instance.instanceId }),
        change.instance.generation,
      );
    }
  }
}

async function within<Result>(limitMs: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database does not tell of the write')), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function databaseOf({ db }: mongoose.Connection): mongo.Db {
  if (db === undefined) throw new TypeError('the connection is not open');
  return db;
}

/** The moment after: what was written at the moment itself was read already. */
function next({ t, i }: mongo.Timestamp): mongo.Timestamp {
  return new mongo.Timestamp({ t, i: i + 1 });
}

function faultOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
