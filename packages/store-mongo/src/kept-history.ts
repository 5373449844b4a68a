// The history on disk: every registry sees the same changes and notes with the same places, so whoever comes first
// writes them down, and it is no matter who. Who made a change does so at once; the others look a moment later
// whether it was done, since its registry may be gone. For people and for registries that start: what runs reads
// its own memory.
import { type Clock, type History, type PlacedEntry, placedEntry, type View } from '@reg/registry';
import type { mongo } from 'mongoose';
import type { Collections, HistoryDocument } from './documents.ts';
import { errorText } from './error-text.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { duplicateKey, refusedOf } from './writer.ts';

const flushEveryMs = 500;
/** The registry that made it has written it down by then, if it lives. */
const othersAfterMs = 2_000;
/** What was under way at others when we read it is there by then. */
const readAgainMs = 4_000;
const readAtMost = 10_000;
/** While the database is away; about a hundred bytes to a few hundred each. */
const waitingAtMost = 20_000;
const together = 1_000;

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
  /** Takes what is written down, at once and once more a moment later. @throws what the database says */
  load(): Promise<void>;
  keep(entries: readonly PlacedEntry[], isOurs: boolean): void;
  /** Writes what is ours and waits. */
  close(): Promise<void>;
}

interface Waiting {
  readonly document: HistoryDocument;
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
    const known = { epoch: view.position.epoch };
    const newestFirst = { $natural: -1 } as const;
    const [changes, notes] = await Promise.all(
      [collections.history, collections.notes].map((collection) =>
        collection.find(known).sort(newestFirst).limit(readAtMost).toArray(),
      ),
    );
    const placed = [...(changes ?? []), ...(notes ?? [])].map(placedOf);
    const oldest = changes?.reduce(
      (least, { revision }) => Math.min(least, revision),
      Number.POSITIVE_INFINITY,
    );
    history.restore(placed, Math.min(oldest ?? Number.POSITIVE_INFINITY, view.position.revision));
  }

  async function flushDue(): Promise<void> {
    try {
      for (let due = dueNow(); due.length > 0; due = dueNow()) {
        await writeDown(
          collections.history,
          due.filter(({ document }) => document.kind !== 'note'),
        );
        await writeDown(
          collections.notes,
          due.filter(({ document }) => document.kind === 'note'),
        );
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
      callOff = clock.after(readAgainMs, () => {
        read().catch((cause: unknown) => log(`the history could not be read: ${String(cause)}`));
      });
    },
    keep(entries, isOurs) {
      const dueAt = clock.now() + (isOurs ? 0 : othersAfterMs);
      for (const { entry, index } of entries) {
        const { epoch: ofView } = view.position;
        const document = { _id: `${ofView}.${entry.revision}.${index}`, epoch: ofView, index, ...entry };
        waiting.push({ document, dueAt, isOurs });
      }
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

/** What others made is mostly there: looking is cheaper than being refused. */
async function writeDown(
  collection: mongo.Collection<HistoryDocument>,
  due: readonly Waiting[],
): Promise<void> {
  const others = due.filter(({ isOurs }) => !isOurs).map(({ document }) => document._id);
  const there = new Set(
    others.length === 0
      ? []
      : await collection
          .find({ _id: { $in: others } }, { projection: { _id: 1 } })
          .map(({ _id }) => _id)
          .toArray(),
  );
  const documents = due.map(({ document }) => document).filter(({ _id }) => !there.has(_id));
  if (documents.length === 0) return;
  try {
    await collection.insertMany(documents, { ordered: false });
  } catch (error) {
    if (!isOnlyThereAlready(error)) throw error;
  }
}

function isOnlyThereAlready(error: unknown): boolean {
  const ofEach = [...refusedOf(error).values()];
  return ofEach.length > 0 && ofEach.every((code) => code === duplicateKey);
}

function placedOf({ _id, epoch, index, ...entry }: HistoryDocument): PlacedEntry {
  return placedEntry(entry, index);
}
