// Who has to go, and when nobody has to: pure, the timer is in registry.ts. Many leases due within one
// lease period speak of our network, not of that many deaths: then we hold back, and gateways route
// around the dead by themselves.
import type { Lease } from './lease.ts';
import type { InstanceKey } from './store.ts';

/** No lease is shorter (schema), so none that is granted or renewed now is due before this is over. */
const shortestLeaseMs = 1_000;
const manyPercent = 15;
const manyAtLeast = 10;
const patiencePeriods = 5;

export interface ReaperState {
  readonly holdingBack: boolean;
  /** Those that expired; each counts for the length of its own lease, so a day's lease forgets no slower for others. */
  readonly expired: readonly { readonly countsUntil: number; readonly count: number }[];
  /** When a lease fell due last, of those seen overdue. */
  readonly lastLateAt: number;
}

export const reaperAtStart: ReaperState = { holdingBack: false, expired: [], lastLateAt: 0 };

export interface Verdict {
  readonly expire: readonly InstanceKey[];
  readonly state: ReaperState;
  readonly overdue: number;
  /** Listed instances with a lease. */
  readonly leased: number;
  /** Nothing falls due before. */
  readonly nextLookAt: number;
}

/** Whose lease has ended, as far as this registry knows. */
export function overdueAt(leases: ReadonlyMap<InstanceKey, Lease>, now: number): InstanceKey[] {
  const overdue: InstanceKey[] = [];
  for (const [key, { expiresAt }] of leases) if (expiresAt !== null && expiresAt <= now) overdue.push(key);
  return overdue;
}

interface Due {
  readonly key: InstanceKey;
  readonly expiresAt: number;
  readonly leaseMs: number;
}

/**
 * Holds back while more than 15 % (and at least 10) went or fell due within one lease period, and then
 * until fewer than 15 % are overdue. After five periods in which all others renewed on time, the
 * overdue go, oldest first, at most 15 % a period. The period is the longest lease among the overdue.
 */
export function reap(leases: ReadonlyMap<InstanceKey, Lease>, before: ReaperState, now: number): Verdict {
  const { due, leased, nextLookAt } = look(leases, now);
  const expired = before.expired.filter(({ countsUntil }) => countsUntil > now);
  const lastLateAt = due.reduce((latest, { expiresAt }) => Math.max(latest, expiresAt), before.lastLateAt);
  const goneBefore = expired.reduce((sum, { count }) => sum + count, 0);
  const gone = due.length + goneBefore;
  const total = leased + goneBefore;

  const starts = gone >= manyAtLeast && gone * 100 > total * manyPercent;
  const lasts = before.holdingBack && due.length * 100 >= leased * manyPercent;
  const holdingBack = due.length > 0 && (starts || lasts);
  const state = { holdingBack, expired, lastLateAt };
  const seen = { overdue: due.length, leased, nextLookAt: holdingBack ? now : nextLookAt };
  if (!holdingBack) return { ...seen, ...expire(due, state, now) };

  const periodMs = due.reduce((longest, { leaseMs }) => Math.max(longest, leaseMs), 0);
  const othersAreFine = leased > due.length && now - lastLateAt >= patiencePeriods * periodMs;
  if (!othersAreFine) return { ...seen, expire: [], state };
  const allowed = Math.max(1, Math.floor((total * manyPercent) / 100)) - goneBefore;
  const oldestFirst = due.sort((one, other) => one.expiresAt - other.expiresAt);
  return { ...seen, ...expire(oldestFirst.slice(0, Math.max(0, allowed)), state, now) };
}

function expire(going: readonly Due[], state: ReaperState, now: number): Pick<Verdict, 'expire' | 'state'> {
  const counts = new Map<number, number>();
  for (const { leaseMs } of going) counts.set(now + leaseMs, (counts.get(now + leaseMs) ?? 0) + 1);
  const added = [...counts].map(([countsUntil, count]) => ({ countsUntil, count }));
  return { expire: going.map(({ key }) => key), state: { ...state, expired: [...state.expired, ...added] } };
}

function look(leases: ReadonlyMap<InstanceKey, Lease>, now: number) {
  const due: Due[] = [];
  let leased = 0;
  let nextLookAt = now + shortestLeaseMs;
  for (const [key, { expiresAt, leaseMs }] of leases) {
    if (expiresAt === null || leaseMs === null) continue;
    leased += 1;
    if (expiresAt <= now) due.push({ key, expiresAt, leaseMs });
    else nextLookAt = Math.min(nextLookAt, expiresAt);
  }
  return { due, leased, nextLookAt };
}
