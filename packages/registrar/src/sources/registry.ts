// What the registry lists, followed by its changes: who is there, whose it is, and what holds for the service.
import { watch } from '@reg/client';
import type { Change, ChangeSet, Instance, Service, ServiceDefinition, Snapshot } from '@reg/schema';
import type { RegistryAccess } from '../registry-access.ts';

/** The scale by hand is not in every registry yet. */
export type Definition = ServiceDefinition & { readonly wanted?: number | undefined };

export interface ListedService {
  definition: Definition;
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

function apply(services: Map<string, ListedService>, change: Change, changed: ListingEvents['changed']): void {
  switch (change.kind) {
    case 'service-updated': {
      const known = services.get(change.service.name);
      if (known) known.definition = change.service;
      else services.set(change.service.name, { definition: change.service, instances: new Map() });
      return changed(change.service.name, undefined);
    }
    case 'service-removed':
      services.delete(change.service);
      return changed(change.service, undefined);
    case 'instance-unregistered':
    case 'instance-expired':
      services.get(change.service)?.instances.delete(change.instanceId);
      return changed(change.service, change.instanceId);
    default:
      services.get(change.service)?.instances.set(change.instance.instanceId, change.instance);
      return changed(change.service, change.instance.instanceId);
  }
}
