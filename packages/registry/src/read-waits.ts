// Reads that wait: until this registry has what their reader has seen, or has something newer.
import { formatPosition, type Position, regError } from '@reg/schema';
import type { Clock } from './clock.ts';
import type { Store } from './store.ts';

/** Replicas are behind each other by milliseconds; one that is behind by more has a fault. */
const seenLimitMs = 5_000;

export interface ReadWaits {
  /**
   * Resolves once this registry has what a reader has seen, elsewhere or by a write of its own.
   * @throws `compacted`: it is of another epoch; `not_caught_up`: not within 5 s, or `signal` aborted;
   * `limit_reached`
   */
  seen(position: Position, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when there is something newer than `after`, when `limitMs` are over, or `signal` aborts. At once
   * where `after` is of another epoch: then everything is new. @throws `limit_reached`
   */
  newerThan(after: Position, limitMs: number, signal: AbortSignal): Promise<void>;
}

export function createReadWaits(store: Store, clock: Clock, { limit = 1_000 } = {}): ReadWaits {
  const { view } = store;
  let waiting = 0;

  const isNewerThan = (revision: number) => view.position.revision > revision;

  /** @returns whether the view came to be newer */
  async function waitFor(after: Position, limitMs: number, signal: AbortSignal): Promise<boolean> {
    if (isNewerThan(after.revision)) return true;
    if (waiting >= limit) throw regError('limit_reached', `${limit} reads wait already`);
    const ending = new AbortController();
    const end = () => ending.abort();
    const callOff = clock.after(limitMs, end);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    waiting += 1;
    try {
      for await (const _ of store.changes(after, ending.signal)) {
        if (isNewerThan(after.revision)) break;
      }
    } finally {
      waiting -= 1;
      callOff();
      signal.removeEventListener('abort', end);
    }
    return isNewerThan(after.revision);
  }

  return {
    async seen(position, signal) {
      const { epoch, revision } = position;
      const name = formatPosition(position);
      if (epoch !== view.position.epoch)
        throw regError('compacted', `${name} is of another epoch: this registry began a new history`);
      if (await waitFor({ epoch, revision: revision - 1 }, seenLimitMs, signal)) return;
      throw regError(
        'not_caught_up',
        `this registry is at ${formatPosition(view.position)}, not yet at ${name}`,
      );
    },
    async newerThan(after, limitMs, signal) {
      if (after.epoch === view.position.epoch) await waitFor(after, limitMs, signal);
    },
  };
}
