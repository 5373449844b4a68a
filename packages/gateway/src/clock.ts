/** Milliseconds since 1970 that never run back: the one clock of the gateway. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
