// How many of a service there should be, one step at a time: rules only. Counts and pressure go in, an action with
// its reason comes out, and what is to be remembered until the next time.
import type { Scaling } from '../policies/effective-policy.ts';
import type { Judged, Pressure } from './judge-load.ts';
import { type Pending, stillPending } from './pending.ts';

export interface Counted {
  readonly instanceId: string;
  /** As its source names it: a port, a unit's instance. */
  readonly instance?: string | undefined;
  readonly state: 'starting' | 'passing' | 'failing' | 'stopping';
  /** We know how to stop it. */
  readonly stoppable: boolean;
  /** When it was found, in milliseconds since 1970: the newest goes first. */
  readonly since: number;
}

/** What is remembered from one decision to the next. */
export interface ScalingMemory {
  readonly pressure: Pressure;
  readonly pressureSince: number;
  readonly pending: readonly Pending[];
  readonly lastUpAt: number;
  readonly lastDownAt: number;
  /** How many ran at the last look: one more is one that came. */
  readonly running: number;
  /** Asked for in a row to no effect: each waits longer for the next. */
  readonly vain: number;
  readonly lastStartAt: number;
}

export type ScalingStep =
  | {
      readonly do: 'start';
      readonly count: number;
      readonly because: string;
      /** One more for the load; else what is missing of the least there should be, which no pause holds up. */
      readonly forLoad?: boolean;
    }
  | { readonly do: 'stop'; readonly instanceId: string; readonly because: string };

export interface Decided {
  readonly step: ScalingStep | undefined;
  readonly memory: ScalingMemory;
}

export interface Question {
  readonly scaling: Scaling;
  /** Said by hand; it goes before min, max and load. */
  readonly wanted: number | undefined;
  readonly instances: readonly Counted[];
  readonly load: Judged;
}

/** After one that died soon after it came, the next waits so long, then twice as long, and so on. */
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

export function beginScaling(now: number): ScalingMemory {
  return {
    ...{ pressure: 'unknown', pressureSince: now, pending: [], running: 0, vain: 0 },
    ...{
      lastUpAt: Number.NEGATIVE_INFINITY,
      lastDownAt: Number.NEGATIVE_INFINITY,
      lastStartAt: Number.NEGATIVE_INFINITY,
    },
  };
}

export function decideScaling(question: Question, before: ScalingMemory, now: number): Decided {
  const memory = remember(question, before, now);
  const step = decideStep(question, memory, now);
  if (!step) return { step, memory };
  if (step.do === 'stop') return { step, memory: { ...memory, lastDownAt: now } };
  const lastUpAt = step.forLoad ? now : memory.lastUpAt;
  const pending = [...memory.pending, ...Array.from({ length: step.count }, () => ({ askedAt: now }))];
  return { step, memory: { ...memory, pending, lastUpAt, lastStartAt: now, vain: memory.vain + 1 } };
}

function remember({ scaling, instances, load }: Question, before: ScalingMemory, now: number): ScalingMemory {
  const running = instances.filter(({ state }) => state !== 'stopping').length;
  const names = new Set(instances.map(({ instance }) => instance));
  // One that waits for too long is given up, and may be asked for again.
  const waiting = before.pending.filter(({ askedAt }) => now - askedAt < scaling.pendingMs);
  const missing = stillPending(waiting, names);
  // Who else came answers the oldest request that has no name.
  const came = Math.max(0, running - before.running - (waiting.length - missing.length));
  const named = missing.filter(({ instance }) => instance !== undefined);
  const pending = [...named, ...missing.filter(({ instance }) => instance === undefined).slice(came)];
  const changed = load.pressure !== before.pressure;
  const steady =
    now - before.lastStartAt > longestPauseMs && instances.some(({ state }) => state === 'passing');
  return {
    ...before,
    running,
    pending,
    pressure: load.pressure,
    pressureSince: changed ? now : before.pressureSince,
    vain: steady ? 0 : before.vain,
  };
}

function decideStep(question: Question, memory: ScalingMemory, now: number): ScalingStep | undefined {
  const { scaling, wanted, instances, load } = question;
  const { pending } = memory;
  const of = (...states: Counted['state'][]) => instances.filter(({ state }) => states.includes(state));
  const [passing, starting, stopping] = [of('passing').length, of('starting').length, of('stopping').length];
  const coming = starting + pending.length;
  const min = wanted ?? scaling.min;
  const max = wanted ?? Math.max(scaling.max, scaling.min);
  const forMs = now - memory.pressureSince;

  // One that fails is replaced, but all together are never more than the most there may be.
  const room = max - of('passing', 'starting', 'failing').length - pending.length;
  const missing = Math.min(min - passing - coming, room);
  if (missing > 0) {
    if (now - memory.lastStartAt < pauseMs(memory.vain)) return undefined; // let the last start show its effect
    return {
      do: 'start',
      count: missing,
      because: `${passing} of ${min} pass${wanted === undefined ? '' : ', as said by hand'}`,
    };
  }
  if (stopping > 0) return undefined; // one step at a time
  if (passing > max) {
    const because =
      wanted === undefined ? `${max} are the most there may be` : `${wanted} are wanted, as said by hand`;
    return stopOne(instances, because);
  }
  if (wanted !== undefined || coming > 0) return undefined;
  if (load.pressure === 'high' && room > 0) {
    const cooled = now - memory.lastUpAt >= scaling.coolDownUpMs;
    return forMs >= scaling.highForMs && cooled
      ? { do: 'start', count: 1, because: load.because, forLoad: true }
      : undefined;
  }
  if (load.pressure === 'low' && passing > min) {
    const cooled = now - Math.max(memory.lastUpAt, memory.lastDownAt) >= scaling.coolDownDownMs;
    return forMs >= scaling.lowForMs && cooled ? stopOne(instances, load.because) : undefined;
  }
  return undefined;
}

/** The newest of those that we know how to stop. */
function stopOne(instances: readonly Counted[], because: string): ScalingStep | undefined {
  const candidates = instances.filter(({ state, stoppable }) => state === 'passing' && stoppable);
  const newest = candidates.reduce<Counted | undefined>(
    (found, one) => (found && found.since >= one.since ? found : one),
    undefined,
  );
  return newest && { do: 'stop', instanceId: newest.instanceId, because };
}

function pauseMs(vain: number): number {
  return vain === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(vain - 1, 10));
}
