// How an instance fares, by its checks. Rules only: a verdict goes in, the next state comes out.
import type { Verdict } from './verdict.ts';

export type HealthState = 'starting' | 'passing' | 'warning' | 'failing';

export interface Health {
  readonly state: HealthState;
  /** When it came to this state, in milliseconds since 1970. */
  readonly since: number;
  readonly because: string;
}

/** One check of one instance. */
export interface CheckHealth extends Health {
  readonly passesInARow: number;
  readonly failuresInARow: number;
}

export interface Thresholds {
  readonly failures: number;
  readonly passes: number;
}

/** @param state `passing` or `failing` of one that was known before us: it is not to begin anew */
export function initialHealth(state: HealthState, because: string, now: number): CheckHealth {
  return { state, since: now, because, passesInARow: 0, failuresInARow: 0 };
}

export function judge(
  before: CheckHealth,
  verdict: Verdict,
  { failures, passes }: Thresholds,
  now: number,
): CheckHealth {
  const failed = verdict.outcome === 'failed';
  const passesInARow = failed ? 0 : before.passesInARow + 1;
  const failuresInARow = failed ? before.failuresInARow + 1 : 0;
  const counted = { ...before, passesInARow, failuresInARow };
  const state = nextState(counted, verdict, { failures, passes });
  if (state === before.state) return { ...counted, because: failed ? before.because : verdict.because };
  const times = failed ? failuresInARow : passesInARow;
  const because = times > 1 ? `${verdict.because}, ${times} times in a row` : verdict.because;
  return { ...counted, state, since: now, because };
}

function nextState(
  { state, passesInARow, failuresInARow }: CheckHealth,
  { outcome }: Verdict,
  { failures, passes }: Thresholds,
): HealthState {
  if (outcome === 'failed') return failuresInARow >= failures ? 'failing' : state;
  const good = outcome === 'warned' ? 'warning' : 'passing';
  if (state === 'passing' || state === 'warning') return good;
  return passesInARow >= passes ? good : state;
}

const worstFirst: readonly HealthState[] = ['failing', 'starting', 'warning', 'passing'];

/** Of all its checks the worst; of several, the one that came to it first. */
export function worst(checks: readonly Health[]): Health | undefined {
  return checks.reduce<Health | undefined>((found, one) => {
    if (!found) return one;
    const difference = worstFirst.indexOf(one.state) - worstFirst.indexOf(found.state);
    if (difference !== 0) return difference < 0 ? one : found;
    return one.since < found.since ? one : found;
  }, undefined);
}
