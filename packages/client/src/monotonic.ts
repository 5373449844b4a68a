/**
 * Milliseconds of a clock that never goes back and that all threads of the process share, as the one of
 * `performance.now()` is not: each thread begins it anew. It stands still while the machine sleeps.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
