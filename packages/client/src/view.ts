// What this process knows of all services: a snapshot, brought up to date by changes. No network here.
import { defaultLeaseMs } from '@reg/schema/defaults';
import type { Position } from '@reg/schema/position';
import type {
  AuthorizedRoles,
  Change,
  ChangeSet,
  Endpoint,
  Instance,
  ServiceDefinition,
  Snapshot,
} from '@reg/schema/shapes';

/** One running copy of a service, as a caller needs it. */
export interface DiscoveredInstance {
  readonly instanceId: string;
  /** Of its first endpoint: `http://10.0.0.5:3001/tickets`. */
  readonly url: string;
  readonly type: Endpoint['type'];
  readonly endpoints: readonly Endpoint[];
  /** What a caller must hold: all of an array, one of `{ anyOf }`. */
  readonly roles: AuthorizedRoles;
  readonly access: 'token' | 'public';
  /** `draining`: it finishes what it has; `pick` leaves it out. */
  readonly state: 'up' | 'draining';
  readonly version?: string | undefined;
  readonly zone?: string | undefined;
  readonly weight?: number | undefined;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** It is to end: from `sunset` on it may be gone. Milliseconds since 1970. */
  readonly deprecated?: Instance['deprecated'];
  /** A registry that was restarted has not heard of it yet; it stays for one lease period. */
  readonly stale: boolean;
  /**
   * Only of what `pick` gives while no instance is up: the fallback of the service's policy. An instance of
   * another service, or an answer that never changes, which `url` has too (`data:`).
   */
  readonly degraded?:
    | { readonly source: 'service'; readonly to: string }
    | {
        readonly source: 'static';
        readonly status: number;
        readonly contentType: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly body: string;
      }
    | undefined;
}

interface Held {
  readonly instance: Instance;
  /** The registry now asked does not list it; undefined: it does. */
  readonly staleUntil?: number;
}

interface HeldService {
  readonly definition: ServiceDefinition;
  readonly instances: ReadonlyMap<string, Held>;
  /** Made when asked for; a service is replaced as a whole when it changes. */
  list?: { readonly all: readonly DiscoveredInstance[]; readonly until: number };
}

export interface View {
  position(): Position | undefined;
  take(item: Snapshot | ChangeSet, now: number): void;
  definitionOf(name: string): ServiceDefinition | undefined;
  /** Ordered by instance id; the same array as long as nothing changed. */
  instancesOf(name: string, now: number): readonly DiscoveredInstance[];
}

const none: readonly DiscoveredInstance[] = [];

export function createView(): View {
  let services = new Map<string, HeldService>();
  let position: Position | undefined;

  function takeSnapshot({ epoch, revision, services: listed }: Snapshot, now: number): void {
    const fresh = new Map<string, HeldService>();
    for (const { instances, ...definition } of listed) {
      fresh.set(definition.name, {
        definition,
        instances: new Map(instances.map((one) => [one.instanceId, { instance: one }])),
      });
    }
    // In the same epoch a snapshot is the truth. A new epoch begins without those that have not come back yet.
    if (position && position.epoch !== epoch) for (const old of services.values()) keepStale(fresh, old, now);
    services = fresh;
    position = { epoch, revision };
  }

  function takeChange(change: Change): void {
    if (change.kind === 'service-removed') {
      services.delete(change.service);
      return;
    }
    if (change.kind === 'service-updated') {
      const { service: definition } = change;
      services.set(definition.name, {
        definition,
        instances: services.get(definition.name)?.instances ?? new Map(),
      });
      return;
    }
    const service = services.get(change.service);
    if (!service) return;
    const instances = new Map(service.instances);
    if ('instance' in change) instances.set(change.instance.instanceId, { instance: change.instance });
    else instances.delete(change.instanceId);
    services.set(change.service, { definition: service.definition, instances });
  }

  return {
    position: () => position,
    take(item, now) {
      if ('services' in item) return takeSnapshot(item, now);
      for (const change of item.changes) takeChange(change);
      if (position) position = { epoch: position.epoch, revision: item.revision };
    },
    definitionOf: (name) => services.get(name)?.definition,
    instancesOf(name, now) {
      const service = services.get(name);
      if (!service) return none;
      if (!service.list || now >= service.list.until) service.list = listOf(service, now);
      return service.list.all;
    },
  };
}

/** Those of `old` that `fresh` lacks stay for one lease period, once. */
function keepStale(
  fresh: Map<string, HeldService>,
  { definition, instances }: HeldService,
  now: number,
): void {
  const known = fresh.get(definition.name);
  const kept = new Map(known?.instances);
  for (const [id, { instance, staleUntil }] of instances) {
    // Without a lease: as long as one with the usual lease.
    const leaseMs = instance.lease === 'none' ? defaultLeaseMs : instance.lease.ttlMs;
    const until = staleUntil ?? now + leaseMs;
    if (!kept.has(id) && until > now) kept.set(id, { instance, staleUntil: until });
  }
  if (known || kept.size > 0)
    fresh.set(definition.name, { definition: known?.definition ?? definition, instances: kept });
}

function listOf({ definition, instances }: HeldService, now: number): NonNullable<HeldService['list']> {
  const living = [...instances.values()].filter(
    ({ staleUntil = Number.POSITIVE_INFINITY }) => staleUntil > now,
  );
  const until = Math.min(
    ...living.map(({ staleUntil = Number.POSITIVE_INFINITY }) => staleUntil),
    Number.POSITIVE_INFINITY,
  );
  const all = living.map((held) => discovered(definition, held));
  all.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  return { all, until };
}

function discovered(
  { authorizedRoles, access }: ServiceDefinition,
  { instance, staleUntil }: Held,
): DiscoveredInstance {
  const { instanceId, endpoints, state, version, zone, weight, deprecated } = instance;
  const { tags = [], metadata = {} } = instance;
  const { url, type } = endpoints[0] as Endpoint; // a registration names at least one
  const stale = staleUntil !== undefined;
  return {
    instanceId,
    url,
    type,
    endpoints,
    roles: authorizedRoles,
    access,
    state,
    version,
    zone,
    weight,
    tags,
    metadata,
    deprecated,
    stale,
  };
}
