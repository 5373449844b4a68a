// The only reader of a clock. It never goes back and takes no part in the wall clock's corrections:
// anchored once, then monotonic.

/** Time, and timers that follow it. Timers never keep the process alive. */
export interface Clock {
  /** Whole milliseconds since 1970, never less than before. */
  now(): number;
  /** Runs `run` every `intervalMs`, whether or not the last one has settled; it never rejects. @returns ends it */
  every(intervalMs: number, run: () => void | Promise<void>): () => void;
  /** Runs `run` once, after `delayMs`. @returns calls it off */
  after(delayMs: number, run: () => void): () => void;
}

export function createSystemClock(): Clock {
  const anchor = Date.now() - performance.now();
  return {
    now: () => Math.floor(anchor + performance.now()),
    every(intervalMs, run) {
      const timer = setInterval(run, intervalMs).unref();
      return () => clearInterval(timer);
    },
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs).unref();
      return () => clearTimeout(timer);
    },
  };
}
