import type { Change, ChangeSet, Service, Snapshot } from '@reg/schema';

/** What a follower holds after one more change set: the naive way, everything copied. */
export function replay(snapshot: Snapshot, { revision, changes }: ChangeSet): Snapshot {
  return { ...snapshot, revision, services: changes.reduce(replayOne, snapshot.services) };
}

function replayOne(services: Service[], change: Change): Service[] {
  if (change.kind === 'service-removed') return services.filter(({ name }) => name !== change.service);
  if (change.kind === 'service-updated') {
    const known = services.find(({ name }) => name === change.service.name);
    const updated = { ...change.service, instances: known?.instances ?? [] };
    return known ? services.map((one) => (one === known ? updated : one)) : [...services, updated];
  }
  return services.map((service) => {
    if (service.name !== change.service) return service;
    const id = 'instance' in change ? change.instance.instanceId : change.instanceId;
    const others = service.instances.filter(({ instanceId }) => instanceId !== id);
    return { ...service, instances: 'instance' in change ? [...others, change.instance] : others };
  });
}

/** The same snapshot whatever the order of its lists. */
export function inOrder(snapshot: Snapshot): Snapshot {
  const services = snapshot.services.map((service) => ({
    ...service,
    instances: service.instances.toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1)),
  }));
  return { ...snapshot, services: services.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
