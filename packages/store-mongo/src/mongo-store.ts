// A store that many registries share: writes go to the database with their conditions, and every registry,
// the writer too, learns of them by the change stream. So all see the same, in the same order.
import { randomBytes } from 'node:crypto';
import {
  type Clock,
  checkReplaced,
  createChangeLog,
  createHistory,
  createSystemClock,
  createView,
  type Origin,
  type Raced,
  type Store,
} from '@reg/registry';
import { type Change, type ChangeSet, regError } from '@reg/schema';
import { type Connected, connect } from './connect.ts';
import type { Database, Step, StepPart } from './database.ts';
import { createDefinitionsUnderWay } from './definitions-under-way.ts';
import { collectionsOf } from './documents.ts';
import { errorText } from './error-text.ts';
import { createHealer } from './healer.ts';
import { idText } from './instance-document.ts';
import { healing, type Meaning, type Refused } from './interpreter.ts';
import type { InvalidDocument } from './invalid-documents.ts';
import { createInvalidLines } from './invalid-lines.ts';
import { startKeptHistory } from './kept-history.ts';
import { startLeases } from './leases.ts';
import { createMirror } from './mirror.ts';
import { createOwnWrites } from './own-writes.ts';
import { type Operation, planRestore, planWrite, type WriteName } from './plan.ts';
import { createPlanned } from './planned.ts';
import { openReplicaSet } from './replica-set.ts';
import { timeOf } from './revision.ts';
import { openStandalone } from './standalone.ts';
import { startFault } from './start-fault.ts';
import { withoutPassword } from './store-url.ts';
import { within } from './within.ts';
import { type DatabaseNow, startWritable } from './writable.ts';
import { createWriter } from './writer.ts';

export interface MongoStoreOptions {
  /** `mongodb://host:port/database` */
  readonly url: string;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default the database's own clock; tests hand in theirs */
  readonly databaseNow?: DatabaseNow;
  /** Change sets kept at least for those who follow. @default 10_000 */
  readonly logCapacity?: number;
  /** Gives up waiting for the database when it is to be opened. @default never: it takes at most 10 s */
  readonly signal?: AbortSignal | undefined;
  /** One line each time something happens that an operator should know. @default console.error */
  readonly log?: (line: string) => void;
}

/** A part of a step, and what it means. */
interface Followed {
  readonly part: StepPart;
  readonly meaning: Meaning;
  readonly byHand: boolean;
  readonly set: ChangeSet;
}

export interface MongoStore extends Store {
  /** Documents that are left alone, and why. */
  invalid(): readonly InvalidDocument[];
  /** All of them: very many are not all kept. */
  invalidCount(): number;
}

/** It takes milliseconds. */
const lastWordWithinMs = 2_000;

const standaloneMeans =
  'the database is a standalone server: it takes one registry, which looks every so often for what people do by hand; a replica set (one member is enough) has neither limit';

/** @throws `store_unavailable` where no database can be used within 10 s, `invalid_request` for the URL; neither shows the password */
export async function openMongoStore(options: MongoStoreOptions): Promise<MongoStore> {
  const { url, log = (line) => console.error(line) } = options;
  let connected: Connected | undefined;
  try {
    connected = await connect(url, options.signal);
    return await openStore({ ...options, log: (line) => log(withoutPassword(line, url)) }, connected);
  } catch (cause) {
    await connected?.connection.destroy();
    throw startFault(cause, url);
  }
}

async function openStore(
  {
    clock = createSystemClock(),
    databaseNow = () => '$$NOW',
    logCapacity,
    log: say,
  }: MongoStoreOptions & { readonly log: (line: string) => void },
  { connection, db, kind }: Connected,
): Promise<MongoStore> {
  const collections = collectionsOf(db);

  const ownPrefix = `${randomBytes(6).toString('hex')}-`;
  const view = createView({ epoch: '', revision: 0 });
  const changeLog = createChangeLog(
    view.position,
    logCapacity === undefined ? {} : { capacity: logCapacity },
  );
  const history = createHistory(() => view.position);
  const keptHistory = startKeptHistory({ collections, history, view, clock, log: say });
  const planned = createPlanned();
  const definitions = createDefinitionsUnderWay();
  const mirror = createMirror(view, planned.take);
  const logInvalid = createInvalidLines({ clock, log: say });
  let writeCount = 0;
  let closed = false;
  /** It did not answer when the store was closed. */
  let isAway = false;
  /** Why the view stands still. */
  let unseen: { readonly text: string; readonly since: number } | undefined;
  /** While everything is read anew: whether it is to be read once more. */
  let reloading: { again: boolean } | undefined;

  const client = connection.getClient();
  const writable = await startWritable(collections, client, clock, databaseNow);
  const leases = startLeases({
    db,
    collections,
    view,
    clock,
    databaseNow,
    writable,
    idOf: (key) => {
      const kept = mirror.documentOf(key);
      return kept && idText(kept.id);
    },
  });
  const writer = createWriter({
    client,
    db,
    collections,
    writable: writable.period,
    databaseNow,
  });
  const database: Database =
    kind === 'replica set'
      ? openReplicaSet({
          connection,
          db,
          collections,
          writer,
          ownDocument: planned.documentOf,
          clock,
          log: say,
        })
      : openStandalone({ connection, db, collections, writer, clock, databaseNow, log: say });

  const ownWrites = createOwnWrites({ caughtUp: database.caughtUp, onOver: planned.forget });
  const nextWrite = () => `${ownPrefix}${++writeCount}`;
  const healer = createHealer({
    database,
    mirror,
    view,
    nextWrite,
    now: () => clock.now(),
    onFault: (cause) => {
      if (!closed) say(`what a hand edit means could not be written down: ${errorText(cause)}`);
    },
  });

  /** Everything at one moment, and then whatever comes after that moment. */
  async function load(): Promise<void> {
    const { epoch, revision, ...everything } = await database.load();
    const now = clock.now();
    const { refused, undefinedServices, leftDefinitions, ...kept } = mirror.load(everything, now);
    leases.begin(now);
    tellInvalid(refused);
    const position = { epoch, revision };
    view.restore(position, kept);
    changeLog.restart(position);
    history.begin([...view.services.values()].map(({ definition }) => definition));
    keptHistory.begin();
    const untold = ownWrites.list(); // or told from here on
    unseen = undefined;
    database.follow({ onStep, onLost, onBroken, onMended });
    await Promise.all(refused.map(undo));
    await healer.heal({ undefinedServices, leftDefinitions, leftBehind: [] });
    // All registries have seen this barrier: whatever position this one tells, the others come to have it too.
    await database.caughtUp();
    await keptHistory.load();
    changeLog.restart(view.position);
    // What was written meanwhile is in what was read, and no change tells of it.
    for (const write of untold) ownWrites.lost(write);
  }

  function notSeen(text: string): void {
    unseen = { text, since: clock.now() };
    say(text);
  }

  function onBroken(cause: unknown): void {
    notSeen(`the changes of the database are not seen at the moment: ${errorText(cause)}`);
  }

  function onMended(): void {
    unseen = undefined;
    say('the changes of the database are seen again');
  }

  function onLost(cause: unknown): void {
    if (closed) return;
    notSeen(`the history of the database is gone (${errorText(cause)}): everything is read anew`);
    if (reloading) reloading.again = true;
    else void reload();
  }

  async function reload(): Promise<void> {
    const state = { again: true };
    let said: string | undefined;
    reloading = state;
    while (!closed && state.again) {
      state.again = false;
      try {
        await load();
      } catch (error) {
        const line = `reading everything anew did not work: ${errorText(error)}`;
        if (line !== said) say(line);
        said = line;
        state.again = true;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
    reloading = undefined;
  }

  function onStep({ revision, parts }: Step): void {
    const now = clock.now();
    const apply = (change: Change) => view.apply({ revision, at: now, changes: [change] }, now);
    const followed = parts.map((part) => followPart(revision, part, mirror.follow(part.events, apply)));
    view.advance(revision);
    const [first, ...others] = followed.filter(({ set }) => set.changes.length > 0);
    // Whoever follows is told of a revision once, and of all of it.
    const more = others.flatMap(({ set }) => set.changes);
    if (first)
      changeLog.append(
        others.length === 0 ? first.set : { ...first.set, changes: [...first.set.changes, ...more] },
      );
    else changeLog.advance(revision);
    tellInvalid(followed.flatMap(({ meaning }) => meaning.refused));
    for (const one of followed) endPart(one);
  }

  function followPart(revision: number, part: StepPart, meaning: Meaning): Followed {
    const byHand = part.write === undefined && meaning.writes.length === 0;
    // Who edits a document of ours leaves our time in it. What the database says is the same for everybody.
    const handAt = database.kind === 'standalone' ? undefined : timeOf(revision);
    const at = (byHand ? handAt : part.at) ?? clock.now();
    return { part, meaning, byHand, set: { revision, at, changes: meaning.changes } };
  }

  /** In the history each has its own origin and time. */
  function endPart({ part, meaning, byHand, set }: Followed): void {
    const { write: transaction, origin, notes } = part;
    const { writes, refused } = meaning;
    const isOurs = transaction?.startsWith(ownPrefix) ?? writes.some((write) => write.startsWith(ownPrefix));
    keptHistory.keep(history.append(set, byHand ? { by: 'hand' } : origin), isOurs);
    if (notes) keptHistory.keep(history.note(notes, origin, set.revision, set.at), isOurs);
    const lost = new Set(refused.map((one) => one.write));
    for (const write of transaction === undefined ? writes : [transaction])
      if (!lost.has(write)) ownWrites.seen(write, set);
    for (const one of refused) {
      ownWrites.lost(one.write);
      void undo(one);
    }
    void healer.heal(meaning);
  }

  /** What lost its race is about to go: nobody need mend it. */
  function tellInvalid(refused: readonly Refused[]): void {
    const news = mirror.takeInvalidNews();
    if (news.length === 0) return;
    const going = new Set(refused.map(({ id }) => idText(id)));
    logInvalid(news.filter(({ id }) => !going.has(id)));
  }

  /** Everybody does so who sees it; once is enough. */
  async function undo({ id, write, former }: Refused): Promise<void> {
    const before = { id, write };
    const name = { write: `${healing}${nextWrite()}`, at: clock.now() };
    try {
      await database.mend(former ? planRestore(before, former, name) : { kind: 'delete-instance', before });
    } catch (error) {
      if (!closed) say(`a document that lost its race stays: ${errorText(error)}`);
    }
  }

  function write(operations: readonly Operation[], name: WriteName): Promise<ChangeSet | Raced> {
    const { write: own } = name;
    const outcome = ownWrites.begin(own);
    planned.expect(own, operations);
    database
      .write(operations, name, () => ownWrites.isWanted(own))
      .then(
        (answer) => {
          if (answer === 'raced') ownWrites.lost(own);
        },
        (cause: unknown) => ownWrites.fail(own, cause),
      );
    return outcome;
  }

  /** Nobody who closes waits for a database that is away, nor for more than one last word. */
  async function inTime(lastWord: Promise<unknown>): Promise<void> {
    const late = 'the store closes, and the database does not answer: what came last may not be written down';
    await within(isAway ? 0 : lastWordWithinMs, lastWord, late).catch((cause: unknown) => {
      if (!isAway) say(errorText(cause));
      isAway = true;
    });
  }

  async function close(): Promise<void> {
    closed = true;
    changeLog.close();
    await inTime(Promise.all([keptHistory.close(), leases.close(), writable.close()]));
    await inTime(database.close());
    ownWrites.close();
    await inTime(connection.close());
  }

  try {
    await load();
  } catch (error) {
    await close();
    throw error;
  }
  if (kind === 'standalone') say(standaloneMeans);
  return {
    kind: `mongodb ${kind}`,
    view,
    invalid: mirror.invalid,
    invalidCount: mirror.invalidCount,
    nextRevision: () => view.position.revision + 1,
    async write(changes, replaces, now, origin = {}) {
      if (closed) throw regError('store_unavailable', 'the store is closed');
      checkReplaced(view, replaces);
      const former = definitions.underWay(changes);
      if (former) return former;
      const name = { write: nextWrite(), at: now, ...origin };
      const written = write(planWrite(changes, view, mirror, name), name);
      definitions.begin(changes, written);
      return await written;
    },
    history,
    async note(notes, now, origin: Origin = {}) {
      if (closed) throw regError('store_unavailable', 'the store is closed');
      const written = await write([], { write: nextWrite(), at: now, ...origin, notes });
      if (written === 'raced') throw regError('store_unavailable', 'the database did not take the notes');
    },
    async renew(renewals) {
      if (closed) throw regError('store_unavailable', 'the store is closed');
      return await leases.renew(renewals);
    },
    refresh: leases.refresh,
    position: () => changeLog.position,
    changes: changeLog.follow,
    reached: changeLog.reached,
    condition: () => ({
      faults: [writable.fault() ?? leases.fault(), unseen].filter((fault) => fault !== undefined),
      invalid: mirror.invalid(),
      invalidCount: mirror.invalidCount(),
    }),
    async close() {
      if (!closed) await close();
    },
  };
}
