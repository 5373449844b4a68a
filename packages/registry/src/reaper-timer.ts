// The reaper's shell: looks every 250 ms, so that a lease is gone well within a second of its end.
import type { Clock } from './clock.ts';
import type { Decision } from './decision.ts';
import { followExpiries } from './expired-elsewhere.ts';
import { decideExpiry, decideForgetting } from './leave.ts';
import { overdueAt, type ReaperState, reap, reaperAtStart } from './reaper.ts';
import type { InstanceKey, Store } from './store.ts';

const lookEveryMs = 250;
/** We stood still ourselves (a paused process, a long pause of the machine): renewals wait in our sockets. */
const stoodStillMs = 1_000;
const expiriesPerWrite = 500;

interface ReaperOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** Rejects while the store is away; health tells of it, and the next look tries again. */
  readonly commit: (decide: (now: number) => Decision) => Promise<unknown>;
}

export interface ReaperTimer {
  seen(): { readonly holdingBack: boolean; readonly overdue: number; readonly leased: number };
  stop(): void;
}

export function startReaper({ clock, store, commit }: ReaperOptions): ReaperTimer {
  const { view } = store;
  let state: ReaperState = reaperAtStart;
  let seen = { overdue: 0, leased: 0 };
  let nextLookAt = 0;
  let lastTickAt = clock.now();
  let working = false;
  /** Counted with our verdict already. */
  const ours = new Set<InstanceKey>();
  /** What other registries expired, until the next look counts it. */
  let elsewhere: ReaperState['expired'] = [];

  function onExpired(key: InstanceKey): void {
    const leaseMs = view.tombstones.get(key)?.leaseMs;
    if (ours.delete(key) || leaseMs == null) return;
    elsewhere = [...elsewhere, { countsUntil: clock.now() + leaseMs, count: 1 }];
  }

  function countElsewhere(): void {
    if (elsewhere.length === 0) return;
    state = { ...state, expired: [...state.expired, ...elsewhere] };
    elsewhere = [];
  }

  async function tick(): Promise<void> {
    const now = clock.now();
    const stoodStill = now - lastTickAt > stoodStillMs;
    lastTickAt = now;
    if (stoodStill || working) return;
    countElsewhere();
    const before = state;
    working = true;
    try {
      await work(now);
    } catch {
      state = before; // health has the reason; nobody has gone, and who is due is found again
      nextLookAt = now;
    } finally {
      working = false;
    }
  }

  async function work(now: number): Promise<void> {
    await commit((at) => decideForgetting(view, at));
    if (now < nextLookAt) return;
    const overdue = overdueAt(view.leases, now);
    if (overdue.length > 0) await store.refresh(overdue, now);
    const expired = look(now);
    for (let start = 0; start < expired.length; start += expiriesPerWrite) {
      await expire(expired.slice(start, start + expiriesPerWrite));
    }
  }

  async function expire(keys: readonly InstanceKey[]): Promise<void> {
    for (const key of keys) ours.add(key);
    try {
      await commit((at) => decideExpiry(view, keys, at));
    } finally {
      for (const key of keys) if (view.leases.has(key)) ours.delete(key); // it did not go
    }
  }

  function look(now: number): readonly InstanceKey[] {
    const verdict = reap(view.leases, state, now);
    state = verdict.state;
    seen = verdict;
    nextLookAt = verdict.nextLookAt;
    return verdict.expire;
  }

  const stopLooking = clock.every(lookEveryMs, tick);
  const stopFollowing = followExpiries(store, onExpired);
  return {
    seen: () => ({ holdingBack: state.holdingBack, ...seen }),
    stop() {
      stopLooking();
      stopFollowing();
    },
  };
}
