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
  const { view, position } = store;
  let waiting = 0;

  /** @throws `limit_reached` */
  async function bounded(
    limitMs: number,
    signal: AbortSignal,
    wait: (ending: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (waiting >= limit) throw regError('limit_reached', `${limit} reads wait already`);
    const ending = new AbortController();
    const end = () => ending.abort();
    const callOff = clock.after(limitMs, end);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    waiting += 1;
    try {
      await wait(ending.signal);
    } finally {
      waiting -= 1;
      callOff();
      signal.removeEventListener('abort', end);
    }
  }

  function checkEpoch(wanted: Position): void {
    if (wanted.epoch === view.position.epoch) return;
    const name = formatPosition(wanted);
    throw regError('compacted', `${name} is of another epoch: this registry began a new history`);
  }

  return {
    async seen(wanted, signal) {
      checkEpoch(wanted);
      const { revision } = wanted;
      if (view.position.revision >= revision) return;
      // What moved it there need not have changed anything: another registry's answer may name the beginning of its view.
      await bounded(seenLimitMs, signal, (ending) => store.reached(revision, ending));
      checkEpoch(wanted);
      if (view.position.revision >= revision) return;
      const here = formatPosition(view.position);
      throw regError('not_caught_up', `this registry is at ${here}, not yet at ${formatPosition(wanted)}`);
    },
    async newerThan(after, limitMs, signal) {
      if (after.epoch !== view.position.epoch || position().revision > after.revision) return;
      await bounded(limitMs, signal, async (ending) => {
        for await (const _ of store.changes(after, ending)) return;
      });
    },
  };
}
