// Registers what does not register itself. Everything here feeds `reconcile` or carries its actions out: policies
// and sources say what should be, checks and the registry what is.
import { hostname } from 'node:os';
import { createCarrier } from './carry-out.ts';
import type { Health } from './checks/health.ts';
import { createCheckSchedule } from './checks/schedule.ts';
import { now } from './clock.ts';
import { createHooks } from './hooks.ts';
import { createInstances, type Watched } from './instances.ts';
import { keepLeases } from './leases.ts';
import { createNotes } from './notes.ts';
import { followPolicyFolder, type Policies } from './policies/policy-folder.ts';
import { reconcile } from './reconcile.ts';
import { createRegistryCaller } from './registry-access.ts';
import { createScaler } from './scaling/scaler.ts';
import { createServiceWatch, type ServiceWatch } from './service-watch.ts';
import { situationOf } from './situation.ts';
import { followRegistry } from './sources/registry.ts';
import { tellOnce } from './tell-once.ts';

export interface RegistrarOptions {
  /** A folder with a policy file for each service: `tickets.yaml`. */
  readonly policies: string;
  /** Where the registry is; a comma-separated list names several. @default http://127.0.0.1:3100 */
  readonly registry?: string | undefined;
  /** Of the registry, where it needs one. */
  readonly token?: string | undefined;
  /** What it registers is `registrar:NAME`'s. Two of one name take each other's for their own. @default the machine's name */
  readonly name?: string | undefined;
  /** For how long what it registered stays listed without it. @default 15_000 */
  readonly leaseMs?: number | undefined;
  /** Takes one line of what was done, and why. @default console.error */
  readonly log?: ((line: string) => void) | undefined;
}

export interface Registrar {
  readonly name: string;
  /** As they are in force. */
  policies(): Policies;
  /**
   * Watches no more. What it registered stays listed until its lease ends: the services run on, and another
   * registrar, or the next start of this one, goes on with them.
   */
  close(): Promise<void>;
}

/** What changed is looked at together after so long, or five times what looking took; what only time changes, each second. */
const gatherMs = 20;
const everyMs = 1_000;
/** A registry that is away at the start is not waited for longer: the checks begin without it. */
const firstListingMs = 3_000;

export function createRegistrar({
  policies: folder,
  registry = 'http://127.0.0.1:3100',
  token,
  name = hostname(),
  leaseMs = 15_000,
  log = console.error,
}: RegistrarOptions): Registrar {
  const owner = `registrar:${name}`;
  const caller = createRegistryCaller({ registry, token });
  const instances = createInstances();
  const schedule = createCheckSchedule();
  const watches = new Map<string, ServiceWatch>();
  const notes = createNotes(caller, log);
  const hooks = createHooks(log);
  /** Services whose file kept a policy in the registry, and says nothing of one any more. */
  const retired = new Set<string>();
  /** Services whose listing is to be looked at: once for all that changed meanwhile. */
  const changedInListing = new Set<string>();
  let policies: Policies = { policies: new Map(), broken: [] };
  let policiesRead = false;
  let ready = false;
  let closed = false;
  let soonTimer: NodeJS.Timeout | undefined;
  let tookMs = 0;

  const listing = followRegistry(
    { registry, token },
    {
      reset() {
        for (const [service, { instances: listed }] of listing.services)
          for (const instanceId of listed.keys()) recognize(service, instanceId);
        for (const service of watches.keys()) changedInListing.add(service);
        begin();
        soon();
      },
      changed(service, instanceId) {
        if (instanceId !== undefined) recognize(service, instanceId);
        changedInListing.add(service);
        soon();
      },
      refused: (error) => log(`the registry refuses: ${error.message}`),
    },
  );
  const carrier = createCarrier({ caller, listing, instances, owner, leaseMs, log, policyOf, changed: soon });
  const leases = keepLeases({ caller, listing, owner, leaseMs, log });
  const scaler = createScaler({ caller, carrier, listing, instances, watches, owner, notes, hooks, log });
  const following = followPolicyFolder(folder, takePolicies, tellOnce(log, 'policies'));
  const everySecond = setInterval(() => {
    turn();
    if (ready && policiesRead && listing.position()) scaler.look();
  }, everyMs);
  const firstListing = setTimeout(begin, firstListingMs);

  /** What is listed as ours is known, whether anybody finds it or not. */
  function recognize(service: string, instanceId: string): void {
    if (listing.services.get(service)?.instances.get(instanceId)?.owner !== owner) return;
    instances.ensure(service, instanceId);
  }

  function policyOf(service: string) {
    return policies.policies.get(service);
  }

  function begin(): void {
    if (ready || closed) return;
    ready = true;
    clearTimeout(firstListing);
    startWatches();
  }

  function takePolicies(next: Policies): void {
    for (const { file, faults, hasLastGood } of next.broken) {
      for (const { line, column, path, message } of faults)
        log(`${file}:${line}:${column}: ${[path, message].filter(Boolean).join(' ')}`);
      log(`${file}: ${hasLastGood ? 'what it said before stays in force' : 'it is left alone'}`);
    }
    for (const [service, { shared }] of policies.policies) {
      if (shared && !next.policies.get(service)?.shared) retired.add(service);
    }
    for (const [service, { shared }] of next.policies) if (shared) retired.delete(service);
    policies = next;
    policiesRead = true;
    if (ready) startWatches();
  }

  function startWatches(): void {
    for (const [service, watch] of watches) {
      if (policies.policies.has(service)) continue;
      watch.close();
      watches.delete(service);
    }
    for (const policy of policies.policies.values()) {
      const known = watches.get(policy.service);
      if (known) known.setPolicy(policy);
      else {
        const context = { listing, instances, schedule, owner, log, onHealth, changed: soon };
        watches.set(policy.service, createServiceWatch(policy, context));
      }
    }
    soon();
  }

  function onHealth(watched: Watched, before: Health): void {
    const { service, instanceId, health, stopping } = watched;
    if (stopping) return; // that it fails now is what was asked for
    const { state, because } = health;
    log(`${service} ${instanceId} ${before.state} -> ${state}: ${because}`);
    notes.add({
      service,
      instanceId,
      event: `check-${state}`,
      text: because,
      data: { before: before.state },
    });
    const { on } = policyOf(service)?.file ?? {};
    const about = { service, instanceId, because, at: health.since, registrar: owner };
    if (state === 'failing') hooks.run(on?.failing, { event: 'failing', ...about });
    else if (before.state === 'failing') hooks.run(on?.recovered, { event: 'recovered', ...about });
    soon();
  }

  function soon(): void {
    if (closed) return;
    soonTimer ??= setTimeout(turn, Math.min(everyMs, Math.max(gatherMs, 5 * tookMs)));
  }

  function turn(): void {
    clearTimeout(soonTimer);
    soonTimer = undefined;
    if (!ready || !policiesRead || !listing.position()) return;
    const startedAt = performance.now();
    for (const service of changedInListing) watches.get(service)?.listingChanged();
    changedInListing.clear();
    scaler.settle();
    const situation = situationOf({ policies, retired, watches, instances, listing, owner });
    for (const action of reconcile(situation, now())) carrier.carryOut(action);
    tookMs = performance.now() - startedAt;
  }

  return {
    name,
    policies: () => policies,
    async close() {
      closed = true;
      clearTimeout(soonTimer);
      clearTimeout(firstListing);
      clearInterval(everySecond);
      following.close();
      for (const watch of watches.values()) watch.close();
      schedule.close();
      scaler.close();
      leases.close();
      listing.close();
      await Promise.all([carrier.close(), notes.close(), hooks.close()]);
    },
  };
}
