// What is to be done so that the registry lists who runs and passes. Rules only: what should be and what is go in,
// actions with their reasons come out. Safe to run again at any time.
import type { Health } from './checks/health.ts';

export interface Desired {
  readonly service: string;
  /** What all its instances share, written out; undefined: they register themselves. */
  readonly entryKey: string | undefined;
  /** What the registry should keep as its policy; undefined: what it has is left alone. */
  readonly policyKey: string | undefined;
  /** A failing instance goes after so long. */
  readonly unregisterAfterMs: number;
}

/** What is known of a service in the registry. */
export interface SeenService {
  readonly service: string;
  /** Undefined: it is not there. */
  readonly entryKey: string | undefined;
  /** Undefined: it has none. */
  readonly policyKey: string | undefined;
}

export interface Listed {
  readonly owner: string | undefined;
  readonly runId: string | undefined;
  readonly state: 'up' | 'draining';
  /** What it says of itself, written out. */
  readonly saidKey: string;
}

export interface Seen {
  readonly service: string;
  readonly instanceId: string;
  /** As its source says; undefined: its source has not looked yet. */
  readonly running: boolean | undefined;
  /** Names the run of its process; undefined: nothing tells one from the next. */
  readonly identity: string | undefined;
  /** What it should say of itself, written out. */
  readonly saidKey: string | undefined;
  readonly health: Health;
  readonly listed: Listed | undefined;
  /** We sent it nothing new since it failed, and nobody else did. */
  readonly drainedByUs: boolean;
  /** It is being stopped: that it passes is no reason to list it anew. */
  readonly stopping: boolean;
  /** What was begun for it is not done, or not seen in the registry yet. */
  readonly busy: boolean;
}

export type Action =
  | {
      readonly do: 'register' | 'update' | 'drain' | 'unregister';
      readonly service: string;
      readonly instanceId: string;
      readonly because: string;
    }
  | { readonly do: 'set-policy'; readonly service: string; readonly because: string };

export interface Situation {
  /** By service; a service without one is nobody's any more. */
  readonly desired: ReadonlyMap<string, Desired>;
  /** Every policy file is known: who has none is to go. */
  readonly complete: boolean;
  readonly services: ReadonlyMap<string, SeenService>;
  readonly instances: Iterable<Seen>;
  /** `registrar:NAME`: what is another's is left alone. */
  readonly owner: string;
}

export function reconcile(
  { desired, complete, services, instances, owner }: Situation,
  now: number,
): Action[] {
  const actions: Action[] = [];
  const redefined = new Set<string>();
  for (const seen of instances) {
    if (seen.busy) continue;
    const wanted = desired.get(seen.service);
    if (!wanted && !complete) continue; // a file that cannot be read may well be its policy
    const action = decideOne(wanted, seen, services.get(seen.service), owner, now);
    if (!action) continue;
    // What they share changes with the first of them, in one revision; the others follow when that is seen.
    const differs = wanted?.entryKey !== services.get(seen.service)?.entryKey;
    if ((action.do === 'register' || action.do === 'update') && differs) {
      if (redefined.has(seen.service)) continue;
      redefined.add(seen.service);
    }
    actions.push({ ...action, service: seen.service, instanceId: seen.instanceId });
  }
  for (const { service, policyKey } of desired.values()) {
    const there = services.get(service);
    if (policyKey === undefined || there?.entryKey === undefined || there.policyKey === policyKey) continue;
    actions.push({ do: 'set-policy', service, because: 'its policy file says otherwise' });
  }
  return actions;
}

interface Decided {
  readonly do: 'register' | 'update' | 'drain' | 'unregister';
  readonly because: string;
}

function decideOne(
  desired: Desired | undefined,
  seen: Seen,
  service: SeenService | undefined,
  owner: string,
  now: number,
): Decided | undefined {
  const { listed, health, running } = seen;
  if (listed && listed.owner !== owner) return undefined; // another's
  if (listed) {
    if (desired?.entryKey === undefined)
      return { do: listed.state === 'up' ? 'drain' : 'unregister', because: 'its policy is gone' };
    if (running === undefined) return undefined;
    if (!running) return { do: 'unregister', because: 'its process is gone' };
    if (!isRunOf(listed.runId, seen.identity))
      return { do: 'unregister', because: 'another process is in its place' };
  }
  if (desired?.entryKey === undefined || !running || seen.saidKey === undefined) return undefined;
  if (health.state === 'failing') return listed && decideFailing(desired, listed.state, health, now);
  if (health.state === 'starting' || seen.stopping) return undefined;
  if (!listed) return { do: 'register', because: health.because };
  if (listed.state === 'draining')
    return seen.drainedByUs ? { do: 'register', because: `it passes again: ${health.because}` } : undefined;
  if (listed.saidKey !== seen.saidKey || service?.entryKey !== desired.entryKey)
    return { do: 'update', because: 'its policy file says otherwise' };
  return undefined;
}

function decideFailing(
  { unregisterAfterMs }: Desired,
  state: Listed['state'],
  { because, since }: Health,
  now: number,
): Decided | undefined {
  if (now - since >= unregisterAfterMs) return { do: 'unregister', because: `failing: ${because}` };
  return state === 'up' ? { do: 'drain', because: `failing: ${because}` } : undefined;
}

/** A run of ours is named by its process and a random end: `socket-4711-c0ffee00.x7Qd2a`. */
export function isRunOf(runId: string | undefined, identity: string | undefined): boolean {
  return identity === undefined || runId === undefined || runId.startsWith(`${identity}.`);
}
