// One service under its policy: its source says who runs, its checks how they fare. What was learned of an
// instance stays with it when the policy or the listing changes.
import { instanceIdOf, type ServicePolicy } from '@reg/schema';
import type { Health } from './checks/health.ts';
import type { CheckSchedule } from './checks/schedule.ts';
import { setChecks, stopChecks } from './checks/start-checks.ts';
import { now } from './clock.ts';
import type { Instances, Watched } from './instances.ts';
import { placeAt } from './place-at.ts';
import { type EffectivePolicy, effectivePolicy } from './policies/effective-policy.ts';
import { type Policy, runsOf, type Said, saidAt } from './policies/policy.ts';
import { isRunOf } from './reconcile.ts';
import { saidKeyOf } from './said-key.ts';
import type { Listing } from './sources/registry.ts';
import type { Found, Source } from './sources/source.ts';
import { startSource } from './sources/start-source.ts';
import { tellOnce } from './tell-once.ts';

export interface ServiceWatch {
  readonly policy: Policy;
  readonly effective: EffectivePolicy;
  /** Its source has told at least once who runs. */
  readonly looked: boolean;
  setPolicy(policy: Policy): void;
  /** The registry says something else of the service. */
  listingChanged(): void;
  close(): void;
}

export interface WatchContext {
  readonly listing: Listing;
  readonly instances: Instances;
  readonly schedule: CheckSchedule;
  readonly owner: string;
  readonly log: (line: string) => void;
  readonly onHealth: (watched: Watched, before: Health) => void;
  /** Somebody came or went, or says otherwise. */
  readonly changed: () => void;
}

export function createServiceWatch(first: Policy, context: WatchContext): ServiceWatch {
  const { listing, instances, schedule, owner, log, onHealth, changed } = context;
  const tell = tellOnce(log, first.service);
  let policy = first;
  let kept = keptOf(listing, first.service);
  let effective = effectivePolicy(policy, kept);
  let found: readonly Found[] = [];
  let looked = false;
  let source = start();

  function start(): Source {
    if (!policy.entry) {
      looked = true;
      return { close() {} }; // its instances are those that are listed
    }
    let open = true;
    const opened = startSource(policy, {
      found(all) {
        if (!open) return;
        found = all;
        looked = true;
        settle();
        changed();
      },
      trouble: tell,
    });
    return {
      close() {
        open = false;
        opened.close();
      },
    };
  }

  /** Every instance as it is found and as the policy wants it. */
  function settle(): void {
    const present = new Set(policy.entry ? settleFound() : settleListed());
    for (const watched of instances.of(policy.service)) if (!present.has(watched.instanceId)) letGo(watched);
  }

  function settleFound(): string[] {
    return found.flatMap((one) => {
      let said: Said;
      try {
        said = one.said ? { ...one.said, ...policy.entry } : saidAt(policy, one);
      } catch (error) {
        tell(`${one.instance}: ${(error as Error).message}`);
        return [];
      }
      const url = said.endpoints[0]?.url;
      const instanceId = one.instanceId ?? instanceIdOf(url ?? '');
      settleOne(instanceId, one, said, url);
      return [instanceId];
    });
  }

  /** Those that register themselves: where the policy names checks, they are made, and that is all. */
  function settleListed(): string[] {
    const listed = listing.services.get(policy.service)?.instances.values() ?? [];
    return [...listed].flatMap(({ instanceId, endpoints, runId, owner: its }) => {
      if (its === owner) return []; // it was ours while the policy had an entry
      const url = endpoints[0]?.url;
      const place = { ...placeAt(url ?? 'http://unknown'), instance: instanceId };
      settleOne(instanceId, { ...place, identity: runId }, undefined, url);
      return [instanceId];
    });
  }

  function settleOne(instanceId: string, one: Found, said: Said | undefined, url: string | undefined): void {
    const watched = instances.ensure(policy.service, instanceId);
    const sameRun = watched.found !== undefined && watched.found.identity === one.identity;
    if (!watched.found) watched.foundSince = now();
    watched.found = one;
    watched.said = said;
    watched.saidKey = said && saidKeyOf(said);
    if (!sameRun) beginRun(watched);
    setChecks(watched, effective, url, schedule, onHealth);
  }

  /** What we listed before we were started again goes on as it was. */
  function beginRun(watched: Watched): void {
    const listed = listing.services.get(policy.service)?.instances.get(watched.instanceId);
    const adopted = listed?.owner === owner && isRunOf(listed.runId, watched.found?.identity);
    const state = adopted ? (listed.state === 'up' ? 'passing' : 'failing') : 'starting';
    const because = adopted ? 'it was listed before the registrar started' : 'not checked yet';
    watched.health = { state, since: now(), because };
    watched.stopping = false;
    if (!adopted) watched.granted = undefined;
    stopChecks(watched);
  }

  function letGo(watched: Watched): void {
    stopChecks(watched);
    watched.found = undefined;
  }

  return {
    get policy() {
      return policy;
    },
    get effective() {
      return effective;
    },
    get looked() {
      return looked;
    },
    setPolicy(next) {
      if (next === policy) return;
      const another = sourceKey(next) !== sourceKey(policy);
      policy = next;
      kept = keptOf(listing, policy.service);
      effective = effectivePolicy(policy, kept);
      if (another) {
        source.close();
        looked = false;
        source = start();
      } else settle();
      changed();
    },
    listingChanged() {
      const before = kept;
      kept = keptOf(listing, policy.service);
      if (kept === before && policy.entry) return;
      effective = effectivePolicy(policy, kept);
      settle();
    },
    close() {
      source.close();
      for (const watched of instances.of(policy.service)) letGo(watched);
    },
  };
}

/** What the registry keeps is never changed in place. */
function keptOf({ services }: Listing, service: string): ServicePolicy | undefined {
  return services.get(service)?.definition.policy;
}

/** A source goes on where the policy says the same of it. */
function sourceKey(policy: Policy): string {
  const runs = runsOf(policy);
  const own = runs && !('documents' in runs) ? undefined : [policy.file.endpoints, policy.entry];
  return JSON.stringify([policy.entry !== undefined, runs, own]);
}
