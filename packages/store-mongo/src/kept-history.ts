// The history on disk: every registry sees the same changes and notes with the same places, so whoever comes first
// writes them down, and it is no matter who. Who made a change does so at once; the others look a moment later
// whether it was done, since its registry may be gone. For people and for registries that start: what runs reads
// its own memory.
//
// Entries are written down together, one document for all that is due: a document for each cost the database more
// than the registrations that they tell of.
import { type Clock, type History, isNote, type PlacedEntry, placeOf, type View } from '@reg/registry';
import type { mongo } from 'mongoose';
import type { Collections, HistoryDocument } from './documents.ts';
import { errorText } from './error-text.ts';
import { readEntries, readPlaces } from './history-document.ts';
import { oneAtATime } from './one-at-a-time.ts';

const flushEveryMs = 500;
/** The registry that made it has written it down by then, if it lives. */
const othersAfterMs = 2_000;
/**
 * What was under way at others when we read it is there after the first of these; what they saw late, since they or
 * the database were away, after one of the others. Each counts from the end of the one before.
 */
const readAgainMs = [4_000, 12_000, 48_000];
const readAtMost = 10_000;
/** While the database is away; about a hundred bytes to a few hundred each. */
const waitingAtMost = 20_000;
/** Of 35 kB at most, each with sixteen endpoints of the longest urls: a document has room for 16 MB. */
const together = 400;

export interface KeptHistoryOptions {
  readonly collections: Pick<Collections, 'history' | 'notes'>;
  readonly history: History;
  readonly view: View;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

export interface KeptHistory {
  /** The view was read anew; of another epoch, nothing of before counts. */
  begin(): void;
  /** Takes what is written down, at once and again some moments later. @throws what the database says */
  load(): Promise<void>;
  keep(entries: readonly PlacedEntry[], isOurs: boolean): void;
  /** Writes what is ours and waits. */
  close(): Promise<void>;
}

interface Waiting {
  readonly placed: PlacedEntry;
  readonly dueAt: number;
  readonly isOurs: boolean;
}

export function startKeptHistory({
  collections,
  history,
  view,
  clock,
  log,
}: KeptHistoryOptions): KeptHistory {
  let waiting: Waiting[] = [];
  let fault: string | undefined;
  let epoch: string | undefined;
  let callOff = () => {};
  let isDropping = false;

  async function read(): Promise<void> {
    const { epoch: ofView } = view.position;
    const [changes, notes] = await Promise.all([
      readNewest(collections.history, ofView),
      readNewest(collections.notes, ofView),
    ]);
    const { revision: seen } = view.position;
    const oldest = changes.reduce((least, { revision }) => Math.min(least, revision), seen);
    // Others may be ahead: what they saw and we did not is still to be told to us, and would be there twice.
    const kept = [...changes, ...notes].filter(({ revision }) => revision <= seen);
    history.restore(kept, oldest);
  }

  /** Story: the database was away when it was read again, and what was missing then was missing for good. */
  function readLater([waitMs, ...later]: readonly number[], said?: string): void {
    if (waitMs === undefined) return;
    let isCalledOff = false;
    const cancel = clock.after(waitMs, async () => {
      const cause = await read().then(
        () => undefined,
        (error: unknown) => errorText(error),
      );
      if (isCalledOff) return;
      if (cause === undefined) return readLater(later);
      if (cause !== said) log(`the history could not be read, and will be again: ${cause}`);
      readLater([waitMs, ...later], cause);
    });
    callOff = () => {
      isCalledOff = true;
      cancel();
    };
  }

  async function flushDue(): Promise<void> {
    try {
      for (let due = dueNow(); due.length > 0; due = dueNow()) {
        const { epoch: ofView } = view.position;
        await Promise.all([
          writeDown(
            collections.history,
            ofView,
            due.filter(({ placed }) => !isNote(placed)),
          ),
          writeDown(
            collections.notes,
            ofView,
            due.filter(({ placed }) => isNote(placed)),
          ),
        ]);
        const done = new Set(due);
        waiting = waiting.filter((one) => !done.has(one));
      }
      if (fault !== undefined) log('the history is written down again');
      fault = undefined;
      isDropping = false;
    } catch (cause) {
      const text = errorText(cause);
      if (fault === undefined) log(`the history is not written down at the moment: ${text}`);
      fault = text;
    }
  }

  function dueNow(): readonly Waiting[] {
    const now = clock.now();
    return waiting.filter(({ dueAt }) => dueAt <= now).slice(0, together);
  }

  const flushes = oneAtATime(flushDue);
  const stop = clock.every(flushEveryMs, flushes.start);
  return {
    begin() {
      if (epoch !== undefined && epoch !== view.position.epoch) {
        history.clear();
        waiting = [];
      }
      ({ epoch } = view.position);
    },
    async load() {
      await read();
      callOff();
      readLater(readAgainMs);
    },
    keep(entries, isOurs) {
      const dueAt = clock.now() + (isOurs ? 0 : othersAfterMs);
      for (const placed of entries) waiting.push({ placed, dueAt, isOurs });
      if (waiting.length <= waitingAtMost) return;
      if (!isDropping) log(`more than ${waitingAtMost} entries of the history wait: the oldest are not kept`);
      isDropping = true;
      waiting = waiting.slice(-waitingAtMost);
    },
    async close() {
      stop();
      callOff();
      await flushes.startAnew();
    },
  };
}

/** What others made is mostly there. */
async function writeDown(
  collection: mongo.Collection<HistoryDocument>,
  epoch: string,
  due: readonly Waiting[],
): Promise<void> {
  const others = due.filter(({ isOurs }) => !isOurs);
  const there = await placesWritten(collection, epoch, others);
  const placed = due.map((one) => one.placed).filter((one) => !there.has(placeOf(one)));
  if (placed.length === 0) return;
  const last = Math.max(...placed.map(({ revision }) => revision));
  const entries = placed.map(({ index, entry }) => ({ ...entry, index }));
  await collection.insertOne({ epoch, last, entries });
}

/** @returns the places of all entries that are written down from the first of these on */
async function placesWritten(
  collection: mongo.Collection<HistoryDocument>,
  epoch: string,
  waiting: readonly Waiting[],
): Promise<ReadonlySet<string>> {
  const places = new Set<string>();
  if (waiting.length === 0) return places;
  const first = Math.min(...waiting.map(({ placed }) => placed.revision));
  const projection = { 'entries.revision': 1, 'entries.index': 1 } as const;
  for await (const { entries } of collection.find({ epoch, last: { $gte: first } }, { projection })) {
    for (const place of readPlaces(entries)) places.add(place);
  }
  return places;
}

/** So many, and what else was written down with the oldest of them. */
async function readNewest(
  collection: mongo.Collection<HistoryDocument>,
  epoch: string,
): Promise<readonly PlacedEntry[]> {
  const placed: PlacedEntry[] = [];
  const newestFirst = collection.find({ epoch, entries: { $type: 'array' } }).sort({ $natural: -1 });
  for await (const { entries } of newestFirst) {
    placed.push(...readEntries(entries));
    if (placed.length >= readAtMost) break;
  }
  return placed;
}
