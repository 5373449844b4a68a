// When `reg run` starts its program again, and after how long. Pure.
import type { ChildEnd } from './child.ts';

export const restartRules = ['no', 'on-failure', 'always'] as const;
export type RestartRule = (typeof restartRules)[number];

const firstPauseMs = 1_000;
const maxPauseMs = 30_000;
/** Who ran for so long did not fail at its start. */
const steadyMs = 30_000;

/** As systemd's `Restart=`: who ends on one of these signals was asked to. */
const askedBy: readonly unknown[] = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE'];

export function shouldRestart(rule: RestartRule, { code, signal }: ChildEnd): boolean {
  if (rule === 'on-failure') return signal === null ? code !== 0 : !askedBy.includes(signal);
  return rule === 'always';
}

/** @param shortRuns in a row, as `shortRunsAfter` counts them */
export function restartPauseMs(shortRuns: number): number {
  return Math.min(firstPauseMs * 2 ** Math.max(0, shortRuns - 1), maxPauseMs);
}

export function shortRunsAfter(before: number, ranMs: number): number {
  return ranMs >= steadyMs ? 0 : before + 1;
}
