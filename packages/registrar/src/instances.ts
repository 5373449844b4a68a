// Every instance that the registrar knows of: what its source, its checks and the registry say, kept over changes
// of its policy and of the listing.
import type { CheckHealth, Health } from './checks/health.ts';
import type { Scheduled } from './checks/schedule.ts';
import { now } from './clock.ts';
import type { Said } from './policies/policy.ts';
import type { Found } from './sources/source.ts';

export interface RunningCheck {
  /** What it does, written out: a policy that says the same lets it go on. */
  readonly key: string;
  health: CheckHealth;
  readonly scheduled: Scheduled;
}

export interface Watched {
  readonly service: string;
  readonly instanceId: string;
  /** Undefined: its source does not find it, or has not looked yet. */
  found: Found | undefined;
  /** Of who is found: since when, in milliseconds since 1970. */
  foundSince: number;
  /** Undefined: it registers itself, and only its checks are ours. */
  said: Said | undefined;
  saidKey: string | undefined;
  health: Health;
  checks: RunningCheck[];
  drainedByUs: boolean;
  stopping: boolean;
  /** The registry listed it as `up` since we are here. */
  wasUp: boolean;
  /** What it holds: it goes on with it where the registry forgot it. */
  granted: { readonly runId: string; readonly generation: number } | undefined;
  /** Something is done for it. */
  underWay: boolean;
  /** The registry has to show this much before it is looked at again, or the time is over. */
  settling: { readonly epoch: string; readonly revision: number; readonly until: number } | undefined;
  /** Failed in a row, and when it may be tried again, by `performance.now()`. */
  failures: number;
  pausedUntil: number;
}

export interface Instances {
  get(service: string, instanceId: string): Watched | undefined;
  /** Makes it where it is new. */
  ensure(service: string, instanceId: string): Watched;
  /** One that nobody checks. */
  remove(watched: Watched): void;
  all(): Iterable<Watched>;
  of(service: string): Watched[];
}

export function createInstances(): Instances {
  const services = new Map<string, Map<string, Watched>>();
  return {
    get: (service, instanceId) => services.get(service)?.get(instanceId),
    ensure(service, instanceId) {
      const instances = services.get(service) ?? new Map<string, Watched>();
      services.set(service, instances);
      const watched = instances.get(instanceId) ?? {
        ...{ service, instanceId, found: undefined, foundSince: 0, said: undefined, saidKey: undefined },
        health: { state: 'starting', since: now(), because: 'not found yet' },
        ...{ checks: [], drainedByUs: false, stopping: false, wasUp: false, granted: undefined },
        ...{ underWay: false, settling: undefined, failures: 0, pausedUntil: 0 },
      };
      instances.set(instanceId, watched);
      return watched;
    },
    remove({ service, instanceId }) {
      const instances = services.get(service);
      instances?.delete(instanceId);
      if (instances?.size === 0) services.delete(service);
    },
    *all() {
      for (const instances of services.values()) yield* instances.values();
    },
    of: (service) => [...(services.get(service)?.values() ?? [])],
  };
}
