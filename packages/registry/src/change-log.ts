// The recent history, in memory. Watchers read it at their own pace and hold no queue of their own: who
// falls behind what is kept is told so (`compacted`).
import { type ChangeSet, formatPosition, type Position, regError } from '@reg/schema';
import { firstWhere } from './first-where.ts';

export interface ChangeLog {
  /** Of the last change set, or where it began: what a reader has who has read everything. */
  readonly position: Position;
  append(changeSet: ChangeSet): void;
  /** Change sets after a position, then as they come. @throws `compacted`, at once or when it fell behind */
  follow(after: Position, signal: AbortSignal): AsyncIterable<ChangeSet>;
  /** Nothing else has changed up to there. Nobody who follows is woken. */
  advance(revision: number): void;
  /** Resolves once all is known up to there; earlier where `signal` aborts, the log is closed or begins another epoch. */
  reached(revision: number, signal: AbortSignal): Promise<void>;
  /** A new beginning: whoever follows from before it is told that it is compacted. */
  restart(position: Position): void;
  /** Ends every follower. */
  close(): void;
}

/**
 * @param start the position before the first change set
 * @param options.capacity change sets kept at least; up to twice as many are. @default 10_000
 */
export function createChangeLog(start: Position, { capacity = 10_000 } = {}): ChangeLog {
  const kept: ChangeSet[] = [];
  let { epoch, revision: compactedUpTo } = start;
  let last = start.revision;
  let knownUpTo = start.revision;
  let closed = false;
  let wake: (() => void)[] = [];
  const waiting = new Map<() => void, number>();

  function wakeAll(): void {
    const asleep = wake;
    wake = [];
    for (const resolve of asleep) resolve();
  }

  function endWaits(upTo: number): void {
    knownUpTo = upTo;
    for (const [end, revision] of waiting) if (revision <= upTo || closed) end();
  }

  function reached(revision: number, signal: AbortSignal): Promise<void> {
    if (revision <= knownUpTo || closed || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        waiting.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      signal.addEventListener('abort', end);
      waiting.set(end, revision);
    });
  }

  function checkKept(after: Position): void {
    if (after.epoch === epoch && after.revision >= compactedUpTo) return;
    throw regError('compacted', `${formatPosition(after)} can not be followed any more: take a snapshot`);
  }

  async function* read(after: Position, signal: AbortSignal): AsyncGenerator<ChangeSet> {
    let seen = after.revision;
    const wakeOnAbort = () => wakeAll();
    signal.addEventListener('abort', wakeOnAbort);
    try {
      while (!signal.aborted && !closed) {
        checkKept({ epoch: after.epoch, revision: seen });
        const next = kept[firstWhere(kept, ({ revision }) => revision > seen)];
        if (next === undefined) {
          await new Promise<void>((resolve) => wake.push(resolve));
          continue;
        }
        seen = next.revision;
        yield next;
      }
    } finally {
      signal.removeEventListener('abort', wakeOnAbort);
    }
  }

  return {
    get position() {
      return { epoch, revision: last };
    },
    append(changeSet) {
      kept.push(changeSet);
      last = changeSet.revision;
      if (kept.length >= 2 * capacity) {
        compactedUpTo = kept.splice(0, capacity).at(-1)?.revision ?? compactedUpTo;
      }
      wakeAll();
      endWaits(last);
    },
    advance: endWaits,
    reached,
    follow(after, signal) {
      checkKept(after);
      return read(after, signal);
    },
    restart(position) {
      kept.length = 0;
      if (position.epoch !== epoch) endWaits(Number.POSITIVE_INFINITY);
      ({ epoch, revision: compactedUpTo } = position);
      last = compactedUpTo;
      wakeAll();
      endWaits(last);
    },
    close() {
      closed = true;
      wakeAll();
      endWaits(knownUpTo);
    },
  };
}
