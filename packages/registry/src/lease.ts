// Rules of leases only: `now` goes in, a lease or a verdict comes out. Times are milliseconds since 1970.
import { type Instance, type LoopLoad, regError } from '@reg/schema';

/** What one run of an instance holds, or held last: living ones and tombstones are both leases. */
export interface Lease {
  /** Undefined: the anonymous run, one that gave itself no name. */
  readonly runId: string | undefined;
  readonly generation: number;
  /** The last 16 runs that may not come back. */
  readonly supersededRuns: readonly string[];
  /** Null: no lease; systemd or an operator owns its life. */
  readonly leaseMs: number | null;
  readonly expiresAt: number | null;
  /** As its renewals said last; a new registration has not said it yet. */
  readonly load?: LoopLoad | undefined;
  /** Whose token registered it; undefined: nobody's, or an operator's. */
  readonly registrant?: string | undefined;
  /** Only on a tombstone. */
  readonly gone?: Gone;
}

export interface Gone {
  readonly at: number;
  /** The run said goodbye, so a late word of it must not bring it back. */
  readonly ended: boolean;
  /** Nobody took it away: its time was over. */
  readonly expired: boolean;
}

/** A run as it introduces itself when it registers. */
export interface Run {
  readonly runId?: string | undefined;
  /** What it holds already, when it registers again. */
  readonly generation?: number | undefined;
}

/** Which run of an instance is meant: exactly one of the three; `force` is an operator's. */
export interface RunName {
  readonly generation?: number | undefined;
  readonly runId?: string | undefined;
  readonly force?: boolean | undefined;
}

const supersededRunsKept = 16;

/**
 * @param last what this instance held last, living or gone: no generation is given twice
 * @param revision of the write that would follow: the generation of a new run
 * @throws `generation_superseded`
 */
export function grantRun(
  last: Lease | undefined,
  run: Run,
  revision: number,
): Pick<Lease, 'runId' | 'generation'> {
  if (run.runId !== undefined && last?.supersededRuns.includes(run.runId)) {
    throw regError('generation_superseded', `the run ${run.runId} was replaced or has ended`);
  }
  if (last && isSameRun(last, run)) return last;
  return { runId: run.runId, generation: newGeneration(last, run, revision) };
}

/** An anonymous run is known by its generation, where it names one. One that ended never goes on. */
function isSameRun(last: Lease, run: Run): boolean {
  if (last.gone?.ended) return false;
  if (run.runId === undefined && run.generation !== undefined) return run.generation === last.generation;
  return run.runId === last.runId;
}

/** Comes again after our restart: goes on. New, or granted by a store that was lost: takes over at once. */
function newGeneration(last: Lease | undefined, run: Run, revision: number): number {
  if (run.generation === undefined) return revision;
  if (last && run.generation <= last.generation) {
    throw regError(
      'generation_superseded',
      `generation ${run.generation} was replaced by ${last.generation}`,
    );
  }
  return Math.min(run.generation, revision);
}

/** The lease of an instance as it was registered or updated at `at`. */
export function leaseOf(last: Lease | undefined, instance: Instance, at: number): Lease {
  const leaseMs = instance.lease === 'none' ? null : instance.lease.ttlMs;
  return {
    runId: instance.runId,
    generation: instance.generation,
    supersededRuns:
      last === undefined || last.generation === instance.generation
        ? (last?.supersededRuns ?? [])
        : withLast(last),
    leaseMs,
    expiresAt: leaseMs === null ? null : at + leaseMs,
    ...(instance.registrant !== undefined && { registrant: instance.registrant }),
  };
}

/** Late but still listed is welcome: only the reaper ends a lease, and it may be holding back. */
export function renewedUntil({ leaseMs }: Lease, now: number): number | null {
  return leaseMs === null ? null : now + leaseMs;
}

/** A change by which an instance goes. */
interface Ending {
  readonly kind: 'instance-unregistered' | 'instance-expired';
  readonly force?: boolean | undefined;
}

/** Expiry and an operator's force do not end the run. */
export function goneBy({ kind, force }: Ending, at: number): Gone {
  const expired = kind === 'instance-expired';
  return { at, ended: !expired && !force, expired };
}

/** What stays of a lease when its instance goes. */
export function buryLease(lease: Lease, gone: Gone): Lease {
  return {
    ...lease,
    load: undefined,
    supersededRuns: gone.ended ? withLast(lease) : lease.supersededRuns,
    gone,
  };
}

function withLast({ runId, supersededRuns }: Lease): readonly string[] {
  if (runId === undefined || supersededRuns.includes(runId)) return supersededRuns;
  return [...supersededRuns, runId].slice(-supersededRunsKept);
}

/**
 * Nothing happens where this does not throw: the run named is the one that holds (or held) the lease.
 * A generation above it was granted by a store that was lost: that run is told to register again.
 * @throws `generation_superseded` for a run that was replaced, `instance_not_found` for an unknown one
 */
export function checkRun(lease: Lease | undefined, run: RunName, what: string): asserts lease is Lease {
  if (lease === undefined) throw regError('instance_not_found', `${what} is not registered`);
  if (run.force) return;
  if (run.generation === lease.generation) return;
  if (run.generation !== undefined && run.generation < lease.generation) {
    throw regError(
      'generation_superseded',
      `generation ${run.generation} was replaced by ${lease.generation}`,
    );
  }
  if (run.runId !== undefined && run.runId === lease.runId) return;
  if (run.runId !== undefined && lease.supersededRuns.includes(run.runId)) {
    throw regError(
      'generation_superseded',
      `the run ${run.runId} was replaced by generation ${lease.generation}`,
    );
  }
  throw regError('instance_not_found', `${what} has no such run`);
}
