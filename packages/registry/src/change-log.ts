// The recent history, in memory. Watchers read it at their own pace and hold no queue of their own: who
// falls behind what is kept is told so (`compacted`).
import { type ChangeSet, formatPosition, type Position, regError } from '@reg/schema';
import { firstWhere } from './first-where.ts';

export interface ChangeLog {
  append(changeSet: ChangeSet): void;
  /** Change sets after a position, then as they come. @throws `compacted`, at once or when it fell behind */
  follow(after: Position, signal: AbortSignal): AsyncIterable<ChangeSet>;
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
  let closed = false;
  let wake: (() => void)[] = [];

  function wakeAll(): void {
    const waiting = wake;
    wake = [];
    for (const resolve of waiting) resolve();
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
    append(changeSet) {
      kept.push(changeSet);
      if (kept.length >= 2 * capacity) {
        compactedUpTo = kept.splice(0, capacity).at(-1)?.revision ?? compactedUpTo;
      }
      wakeAll();
    },
    follow(after, signal) {
      checkKept(after);
      return read(after, signal);
    },
    restart(position) {
      kept.length = 0;
      ({ epoch, revision: compactedUpTo } = position);
      wakeAll();
    },
    close() {
      closed = true;
      wakeAll();
    },
  };
}
