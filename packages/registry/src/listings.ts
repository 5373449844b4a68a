// What readers get: the view as arrays. The snapshot is kept until the next change; what was not changed
// is not built again. Leases move without a revision, so a listing is built each time.
import {
  type ListedService,
  type Reply,
  regError,
  type Service,
  type ServiceLoad,
  type Snapshot,
  slug,
} from '@reg/schema';
import { instanceKey, type ServiceState, type Store } from './store.ts';

export interface Listings {
  snapshot(): Snapshot;
  listServices(): Reply<'listServices'>;
  /** @throws `service_not_found` */
  getService(name: string): Reply<'getService'>;
}

/** What is shown beside the view, and moves without a revision. */
export interface Beside {
  readonly isHoldingBack: () => boolean;
  readonly loadOf: (service: string) => ServiceLoad | undefined;
}

export function createListings(
  { view, position }: Pick<Store, 'view' | 'position'>,
  { isHoldingBack, loadOf }: Beside,
): Listings {
  let kept: Snapshot | undefined;

  function listService({ definition, instances }: ServiceState): ListedService {
    const listed = [...instances.values()].map((instance) => {
      const lease = view.leases.get(instanceKey({ service: definition.name, id: instance.instanceId }));
      return { ...instance, leaseUntil: lease?.expiresAt ?? null, ...(lease?.load && { load: lease.load }) };
    });
    const load = loadOf(definition.name);
    return { ...definition, slug: slug(definition.name), ...(load && { load }), instances: listed };
  }

  return {
    snapshot() {
      const at = position();
      if (kept?.revision === at.revision && kept.epoch === at.epoch) return kept;
      const services = [...view.services.values()].map(
        ({ definition, instances }): Service => ({ ...definition, instances: [...instances.values()] }),
      );
      kept = { ...at, services };
      return kept;
    },
    listServices() {
      const services = [...view.services.values()].map(listService);
      return { ...position(), holdingBack: isHoldingBack(), services };
    },
    getService(name) {
      const service = view.services.get(name);
      if (!service) throw regError('service_not_found', `there is no service ${name}`);
      return { ...position(), holdingBack: isHoldingBack(), ...listService(service) };
    },
  };
}
