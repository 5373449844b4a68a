// How an instance leaves: drained, unregistered, or expired. Repeating what succeeded succeeds.
import { type Change, regError } from '@reg/schema';
import { type Decision, nothingToDo } from './decision.ts';
import { checkRun, type Lease, type RunName } from './lease.ts';
import { outlivesInstances } from './settings.ts';
import { type InstanceKey, type InstanceName, instanceKey, instanceNameOf, type View } from './store.ts';
import { type Asking, checkForce, checkRegistrant, checkService, type Writer } from './writer.ts';

const emptyServiceMs = 3_600_000;

export interface Leaving extends Asking {
  readonly reason?: string | undefined;
}

/** @throws `not_permitted`, `instance_foreign`, `instance_not_found`, `generation_superseded` */
export function decideDrain(view: View, name: InstanceName, run: RunName, leaving: Leaving = {}): Decision {
  const { reason, writer } = leaving;
  const key = instanceKey(name);
  const lease = view.leases.get(key);
  checkLeaver(writer, name, run, lease);
  const instance = view.services.get(name.service)?.instances.get(name.id);
  checkRun(lease ?? view.tombstones.get(key), run, describe(name));
  if (!lease || !instance)
    throw regError('instance_not_found', `${describe(name)} is not registered any more`);
  if (instance.state === 'draining') return nothingToDo;
  const drained: Change = {
    kind: 'instance-drained',
    service: name.service,
    instance: { ...instance, state: 'draining' },
    ...(reason !== undefined && { reason }),
  };
  return { changes: [drained], replaces: new Map([[key, lease.generation]]) };
}

/**
 * With the last instance goes its service, unless its path was moved (one that is restarted alone would not find
 * it again), or its settings are for a time without instances. It stays as after an expiry. @throws as `decideDrain`
 */
export function decideUnregister(
  view: View,
  name: InstanceName,
  run: RunName,
  leaving: Leaving = {},
): Decision {
  const { reason, writer } = leaving;
  const key = instanceKey(name);
  const lease = view.leases.get(key);
  checkLeaver(writer, name, run, lease);
  checkRun(lease ?? view.tombstones.get(key), run, describe(name));
  if (!lease) return nothingToDo;
  const unregistered: Change = {
    kind: 'instance-unregistered',
    service: name.service,
    instanceId: name.id,
    generation: lease.generation,
    ...(reason !== undefined && { reason }),
    ...(run.force && { force: true }),
  };
  const service = view.services.get(name.service);
  const goes = service?.instances.size === 1 && !outlivesInstances(service.definition);
  const removed: Change = { kind: 'service-removed', service: name.service };
  return {
    changes: goes ? [unregistered, removed] : [unregistered],
    replaces: new Map([[key, lease.generation]]),
  };
}

/** A service that lost its last instance stays for an hour, so that callers hear 503 and not 404. */
export function decideExpiry(view: View, keys: readonly InstanceKey[], now: number): Decision {
  const changes: Change[] = [];
  const replaces = new Map<InstanceKey, number>();
  for (const key of keys) {
    const lease = view.leases.get(key);
    if (lease?.expiresAt == null || lease.expiresAt > now) continue; // renewed since, or gone
    const { service, id } = instanceNameOf(key);
    changes.push({ kind: 'instance-expired', service, instanceId: id, generation: lease.generation });
    replaces.set(key, lease.generation);
  }
  return { changes, replaces };
}

/** Services of which no instance came back within an hour. */
export function decideForgetting({ emptySince }: View, now: number): Decision {
  const changes: Change[] = [];
  for (const [service, since] of emptySince) {
    if (since > now - emptyServiceMs) break; // oldest first
    changes.push({ kind: 'service-removed', service });
  }
  return { changes, replaces: new Map() };
}

function checkLeaver(
  writer: Writer | undefined,
  name: InstanceName,
  { force }: RunName,
  lease: Lease | undefined,
): void {
  checkService(writer, name.service);
  checkRegistrant(writer, lease, describe(name)); // first: who names the run of another's is no further
  checkForce(writer, force);
}

export function describe({ service, id }: InstanceName): string {
  return `instance ${id} of ${service}`;
}
