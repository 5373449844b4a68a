// What should be and what is, as `reconcile` wants it.
import type { Instance, ServiceDefinition } from '@reg/schema';
import type { Instances, Watched } from './instances.ts';
import type { Policies } from './policies/policy-folder.ts';
import type { Desired, Listed, Seen, SeenService, Situation } from './reconcile.ts';
import { entryKeyOf, listedKeyOf, policyKeyOf } from './said-key.ts';
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

const orphaned = { state: 'starting', since: 0, because: 'not checked' } as const;

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
  for (const [service, { instances: listed }] of listing.services) {
    for (const one of listed.values()) {
      if (one.owner === owner) instances.ensure(service, one.instanceId, orphaned);
    }
  }
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
      busy: isBusy(watched, listing),
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

function listedOf(instance: Instance): Listed {
  const { owner, runId, state } = instance;
  return { owner, runId, state, saidKey: listedKeyOf(instance) };
}

/** A path that was moved since means the path of now. */
function asSaid(definition: ServiceDefinition, url: string | undefined): ServiceDefinition {
  return url !== undefined && definition.formerUrls?.includes(url) ? { ...definition, url } : definition;
}

function isBusy({ underWay, settling, pausedUntil }: Watched, listing: Listing): boolean {
  const now = performance.now();
  if (underWay || pausedUntil > now) return true;
  if (!settling || settling.until <= now) return false;
  const position = listing.position();
  return position?.epoch === settling.epoch && position.revision < settling.revision;
}
