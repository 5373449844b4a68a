import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.ts';

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /** Goes on by `byMs`, running each timer at its time until it settles, with a turn of the event loop between. */
  advance(byMs: number): Promise<void>;
}

interface Timer {
  at: number;
  readonly everyMs: number | undefined;
  readonly run: () => void | Promise<void>;
}

/** @param startMs milliseconds since 1970. @default 2026-01-01 */
export function createFakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let now = startMs;
  const timers = new Set<Timer>();

  function add(at: number, run: Timer['run'], everyMs?: number): () => void {
    const timer: Timer = { at, everyMs, run };
    timers.add(timer);
    return () => void timers.delete(timer);
  }

  function nextUntil(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) if (timer.at <= end && timer.at < (next?.at ?? Infinity)) next = timer;
    return next;
  }

  return {
    now: () => now,
    every: (intervalMs, run) => add(now + intervalMs, run, intervalMs),
    after: (delayMs, run) => add(now + delayMs, run),
    async advance(byMs) {
      await nextTurn(); // what was begun gets to set its timers first
      const end = now + byMs;
      for (let timer = nextUntil(end); timer; timer = nextUntil(end)) {
        now = timer.at;
        if (timer.everyMs === undefined) timers.delete(timer);
        else timer.at += timer.everyMs;
        await timer.run();
        await nextTurn();
      }
      now = end;
    },
  };
}
