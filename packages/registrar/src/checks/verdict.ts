/** What one check came to, and why. */
export interface Verdict {
  readonly outcome: 'passed' | 'warned' | 'failed';
  readonly because: string;
}

export const passed = (because: string): Verdict => ({ outcome: 'passed', because });
export const failed = (because: string): Verdict => ({ outcome: 'failed', because });

/** It passes, and says so. */
export function tookTooLong(verdict: Verdict, tookMs: number, warnAfterMs: number | undefined): Verdict {
  if (verdict.outcome === 'failed' || warnAfterMs === undefined || tookMs <= warnAfterMs) return verdict;
  return { outcome: 'warned', because: `${verdict.because} after ${Math.round(tookMs)} ms` };
}
