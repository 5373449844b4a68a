// The reaper's shell: looks every 250 ms, so that a lease is gone well within a second of its end.
import type { Position } from '@reg/schema';
import type { Clock } from './clock.ts';
import type { Decision } from './decision.ts';
import { decideExpiry, decideForgetting } from './leave.ts';
import { type ReaperState, reap, reaperAtStart } from './reaper.ts';
import type { InstanceKey, View } from './store.ts';

const lookEveryMs = 250;
/** We stood still ourselves (a paused process, a long pause of the machine): renewals wait in our sockets. */
const stoodStillMs = 1_000;
const expiriesPerWrite = 500;

interface ReaperOptions {
  readonly clock: Clock;
  readonly view: View;
  /** Rejects while the store is away; health tells of it, and the next look tries again. */
  readonly commit: (decision: Decision, now: number) => Promise<Position>;
}

export interface ReaperTimer {
  seen(): { readonly holdingBack: boolean; readonly overdue: number; readonly leased: number };
  stop(): void;
}

export function startReaper({ clock, view, commit }: ReaperOptions): ReaperTimer {
  let state: ReaperState = reaperAtStart;
  let seen = { overdue: 0, leased: 0 };
  let nextLookAt = 0;
  let lastTickAt = clock.now();
  let writing = false;

  function tick(): void {
    const now = clock.now();
    const stoodStill = now - lastTickAt > stoodStillMs;
    lastTickAt = now;
    if (stoodStill || writing) return;
    const before = state;
    const forgotten = decideForgetting(view, now);
    const expired = now < nextLookAt ? [] : look(now);
    if (expired.length === 0 && forgotten.changes.length === 0) return;
    writing = true;
    write(forgotten, expired, now)
      .catch(() => {
        state = before; // health has the reason; nobody has gone, and who is due is found again
        nextLookAt = now;
      })
      .finally(() => {
        writing = false;
      });
  }

  function look(now: number): readonly InstanceKey[] {
    const verdict = reap(view.leases, state, now);
    state = verdict.state;
    seen = verdict;
    nextLookAt = verdict.nextLookAt;
    return verdict.expire;
  }

  async function write(forgotten: Decision, expired: readonly InstanceKey[], now: number): Promise<void> {
    await commit(forgotten, now);
    for (let start = 0; start < expired.length; start += expiriesPerWrite) {
      await commit(decideExpiry(view, expired.slice(start, start + expiriesPerWrite), now), now);
    }
  }

  const stop = clock.every(lookEveryMs, tick);
  return { seen: () => ({ holdingBack: state.holdingBack, ...seen }), stop };
}
