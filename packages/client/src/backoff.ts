const firstPauseMs = 100;
const longestPauseMs = 5_000;

/**
 * How long to wait before the next try: 0.1 s, doubled with each failure up to 5 s, of which a random
 * part (at least half) is taken, so that a thousand clients do not come back in one moment.
 * @param failures in a row, 1 or more @param random 0 to 1
 */
export function backoffMs(failures: number, random = Math.random()): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 6)) * (0.5 + random / 2);
}
