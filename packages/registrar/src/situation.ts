// What should be and what is, as `reconcile` wants it.
import type { Instance, ServiceDefinition } from '@reg/schema';
import type { Instances, Watched } from './instances.ts';
import type { Policies } from './policies/policy-folder.ts';
import type { Desired, Listed, Seen, SeenService, Situation } from './reconcile.ts';
import { entryKeyOf, policyKeyOf, saidKeyOf } from './said-key.ts';
import type { ServiceWatch } from './service-watch.ts';
import type { Listing } from './sources/registry.ts';

interface Parts {
  readonly policies: Policies;
  /** What the registry keeps of these is to be taken away. */
  readonly retired: ReadonlySet<string>;
  readonly watches: ReadonlyMap<string, ServiceWatch>;
  readonly instances: Instances;
  readonly listing: Listing;
  readonly owner: string;
}

export function situationOf({ policies, retired, watches, instances, listing, owner }: Parts): Situation {
  const desired = new Map<string, Desired>();
  const services = new Map<string, SeenService>();
  for (const service of retired) {
    desired.set(service, {
      service,
      entryKey: undefined,
      policyKey: policyKeyOf(undefined),
      unregisterAfterMs: 0,
    });
    services.set(service, seenService(listing, service, undefined));
  }
  for (const [service, { policy, effective }] of watches) {
    desired.set(service, {
      service,
      entryKey: policy.entry && entryKeyOf(policy.entry),
      policyKey: policy.shared || retired.has(service) ? policyKeyOf(policy.shared) : undefined,
      unregisterAfterMs: effective.checking.unregisterAfterMs,
    });
    services.set(service, seenService(listing, service, policy.entry?.url));
  }
  const seen: Seen[] = [];
  const at = { now: performance.now(), position: listing.position() };
  for (const watched of instances.all()) {
    const listed = listing.services.get(watched.service)?.instances.get(watched.instanceId);
    const ours = listed?.owner === owner;
    if (!watched.found && !ours && !watched.underWay) {
      instances.remove(watched);
      continue;
    }
    if (ours) learn(watched, listed.state);
    seen.push({
      service: watched.service,
      instanceId: watched.instanceId,
      running: watches.get(watched.service)?.looked ? watched.found !== undefined : undefined,
      identity: watched.found?.identity,
      saidKey: watched.saidKey,
      health: watched.health,
      listed: listed && listedOf(listed),
      drainedByUs: watched.drainedByUs,
      stopping: watched.stopping,
      busy: isBusy(watched, at),
    });
  }
  const complete = policies.broken.every(({ hasLastGood }) => hasLastGood);
  return { desired, complete, services, instances: seen, owner };
}

function seenService(listing: Listing, service: string, url: string | undefined): SeenService {
  const definition = listing.services.get(service)?.definition;
  return {
    service,
    entryKey: definition && entryKeyOf(asSaid(definition, url)),
    policyKey: policyKeyOf(definition?.policy),
  };
}

/** One that was drained before we came was drained by us: our state does not outlive us, the listing does. */
function learn(watched: Watched, state: Listed['state']): void {
  if (state === 'up') watched.wasUp = true;
  else if (!watched.wasUp) watched.drainedByUs = true;
}

/** Worked out once: what is listed is never changed in place. */
const known = new WeakMap<Instance, Listed>();

function listedOf(instance: Instance): Listed {
  const before = known.get(instance);
  if (before) return before;
  const { owner, runId, state } = instance;
  const listed = { owner, runId, state, saidKey: saidKeyOf(instance) };
  known.set(instance, listed);
  return listed;
}

/** A path that was moved since means the path of now. */
function asSaid(definition: ServiceDefinition, url: string | undefined): ServiceDefinition {
  return url !== undefined && definition.formerUrls?.includes(url) ? { ...definition, url } : definition;
}

interface Moment {
  /** By `performance.now()`. */
  readonly now: number;
  readonly position: ReturnType<Listing['position']>;
}

function isBusy({ underWay, settling, pausedUntil }: Watched, { now, position }: Moment): boolean {
  if (underWay || pausedUntil > now) return true;
  if (!settling || settling.until <= now) return false;
  return position?.epoch === settling.epoch && position.revision < settling.revision;
}
