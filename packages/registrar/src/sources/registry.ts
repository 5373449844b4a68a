// What the registry lists, followed by its changes: who is there, whose it is, and what holds for the service.
import { watch } from '@reg/client';
import type { Change, ChangeSet, Instance, Service, ServiceDefinition, Snapshot } from '@reg/schema';
import type { RegistryAccess } from '../registry-access.ts';

interface ListedService {
  definition: ServiceDefinition;
  readonly instances: Map<string, Instance>;
}

export interface Listing {
  readonly services: ReadonlyMap<string, ListedService>;
  /** Undefined until a registry answered for the first time. */
  position(): { readonly epoch: string; readonly revision: number } | undefined;
  close(): void;
}

export interface ListingEvents {
  /** Everything is new: another history. */
  readonly reset: () => void;
  readonly changed: (service: string, instanceId: string | undefined) => void;
  /** It does not go on. */
  readonly refused: (error: Error) => void;
}

export function followRegistry({ registry, token }: RegistryAccess, events: ListingEvents): Listing {
  const services = new Map<string, ListedService>();
  const stopping = new AbortController();
  let position: { epoch: string; revision: number } | undefined;

  function take(item: Snapshot | ChangeSet): void {
    if ('services' in item) {
      services.clear();
      for (const service of item.services) services.set(service.name, listedOf(service));
      position = { epoch: item.epoch, revision: item.revision };
      events.reset();
      return;
    }
    for (const change of item.changes) apply(services, change, events.changed);
    if (position) position = { epoch: position.epoch, revision: item.revision };
  }

  async function follow(): Promise<void> {
    const options = { registry, signal: stopping.signal, ...(token !== undefined && { token }) };
    for await (const item of watch(options)) take(item as Snapshot | ChangeSet);
  }
  follow().catch(events.refused);
  return { services, position: () => position, close: () => stopping.abort() };
}

function listedOf({ instances, ...definition }: Service): ListedService {
  return { definition, instances: new Map(instances.map((one) => [one.instanceId, one])) };
}

function apply(
  services: Map<string, ListedService>,
  change: Change,
  changed: ListingEvents['changed'],
): void {
  const service = typeof change.service === 'string' ? change.service : change.service.name;
  const known = services.get(service);
  if (change.kind === 'service-updated') {
    if (known) known.definition = change.service;
    else services.set(service, { definition: change.service, instances: new Map() });
    changed(service, undefined);
  } else if (change.kind === 'service-removed') {
    services.delete(service);
    changed(service, undefined);
  } else if (change.kind === 'instance-unregistered' || change.kind === 'instance-expired') {
    known?.instances.delete(change.instanceId);
    changed(service, change.instanceId);
  } else {
    known?.instances.set(change.instance.instanceId, change.instance);
    changed(service, change.instance.instanceId);
  }
}
