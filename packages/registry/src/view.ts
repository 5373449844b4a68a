// What the rules decide on, made of nothing but the changes: whoever applies the same change sets in
// order holds the same view. It changes in place (no copy of 10,000 instances per write); an instance
// itself is never changed, only replaced.
import {
  type Change,
  type ChangeSet,
  canonicalAddress,
  type Instance,
  type Position,
  type ServiceDefinition,
  slug,
} from '@reg/schema';
import { canonicalPath } from './canonical-path.ts';
import { buryLease, type Gone, goneBy, type Lease, leaseOf } from './lease.ts';
import { type InstanceKey, instanceKey, type Renewal, type View } from './store.ts';

const tombstoneMs = 24 * 3_600_000;
const tombstonesKept = 100_000;

interface MutableService {
  definition: ServiceDefinition;
  readonly instances: Map<string, Instance>;
}

/** What a store kept, to begin with. */
export interface KeptState {
  /** What changes made of it. It is taken over, not copied: nobody else uses it from then on. */
  readonly view: MutableView;
  /** Of those listed that have any. */
  readonly supersededRuns: ReadonlyMap<InstanceKey, readonly string[]>;
  readonly tombstones: Iterable<readonly [InstanceKey, Lease]>;
}

/** All that a view consists of. */
interface Held {
  readonly services: Map<string, MutableService>;
  readonly leases: Map<InstanceKey, Lease>;
  readonly tombstones: Map<InstanceKey, Lease>;
  readonly emptySince: Map<string, number>;
  readonly paths: Map<string, string>;
  readonly slugs: Map<string, string>;
  readonly addresses: Map<string, readonly InstanceKey[]>;
}

export interface MutableView extends View {
  /** For whoever takes it over. */
  readonly held: Held;
  /** @param now by this process's clock: leases begin anew from it */
  apply(changeSet: ChangeSet, now: number): void;
  /** The position moves by what changes nothing here. */
  advance(revision: number): void;
  /** Everything as a store kept it; a lease is given the period of grace that it was built with. */
  restore(position: Position, kept: KeptState): void;
  /** @returns false where nobody holds that generation any more */
  renew(renewal: Renewal): boolean;
}

export function createView(start: Position): MutableView {
  let position = start;
  let held: Held = {
    services: new Map(),
    leases: new Map(),
    tombstones: new Map(),
    emptySince: new Map(),
    paths: new Map(),
    slugs: new Map(),
    addresses: new Map(),
  };
  let { services, leases, tombstones, emptySince, paths, slugs, addresses } = held;

  function define(definition: ServiceDefinition, at: number): void {
    const known = services.get(definition.name);
    if (known) {
      freePath(known.definition);
      known.definition = definition;
    } else {
      services.set(definition.name, { definition, instances: new Map() });
      emptySince.set(definition.name, at);
    }
    paths.set(canonicalPath(definition.url), definition.name);
    slugs.set(slug(definition.name), definition.name);
  }

  /** In a swap of two paths the other service holds ours already. */
  function freePath({ name, url }: ServiceDefinition): void {
    if (paths.get(canonicalPath(url)) === name) paths.delete(canonicalPath(url));
  }

  function remove(name: string): void {
    const known = services.get(name);
    if (!known) return;
    freePath(known.definition);
    slugs.delete(slug(name));
    emptySince.delete(name);
    services.delete(name);
  }

  function list(service: string, instance: Instance, at: number): void {
    const key = instanceKey({ service, id: instance.instanceId });
    const instances = services.get(service)?.instances;
    const before = instances?.get(instance.instanceId);
    if (before) freeAddresses(key, before);
    instances?.set(instance.instanceId, instance);
    emptySince.delete(service);
    for (const { url } of instance.endpoints) holdAddress(canonicalAddress(url), key);
    leases.set(key, leaseOf(leases.get(key) ?? tombstones.get(key), instance, at));
    tombstones.delete(key);
  }

  /** Nearly always one has it, who may have it twice: for two methods. */
  function holdAddress(address: string, key: InstanceKey): void {
    const holders = addresses.get(address) ?? [];
    if (!holders.includes(key)) addresses.set(address, [...holders, key]);
  }

  function freeAddresses(key: InstanceKey, { endpoints }: Instance): void {
    for (const address of endpoints.map(({ url }) => canonicalAddress(url))) {
      const others = (addresses.get(address) ?? []).filter((holder) => holder !== key);
      if (others.length > 0) addresses.set(address, others);
      else addresses.delete(address);
    }
  }

  function bury(service: string, id: string, gone: Gone): void {
    const key = instanceKey({ service, id });
    const instances = services.get(service)?.instances;
    const instance = instances?.get(id);
    const lease = leases.get(key);
    if (!instances || !instance || !lease) return;
    freeAddresses(key, instance);
    instances.delete(id);
    leases.delete(key);
    tombstones.set(key, buryLease(lease, gone));
    if (instances.size === 0) emptySince.set(service, gone.at);
  }

  function forgetOldTombstones(now: number): void {
    for (const [key, { gone }] of tombstones) {
      if (tombstones.size <= tombstonesKept && (gone?.at ?? 0) > now - tombstoneMs) return;
      tombstones.delete(key);
    }
  }

  function applyOne(change: Change, at: number): void {
    switch (change.kind) {
      case 'service-updated':
        define(change.service, at);
        break;
      case 'service-removed':
        remove(change.service);
        break;
      case 'instance-registered':
      case 'instance-updated':
        list(change.service, change.instance, at);
        break;
      case 'instance-drained':
        services.get(change.service)?.instances.set(change.instance.instanceId, change.instance);
        break;
      case 'instance-unregistered':
      case 'instance-expired':
        bury(change.service, change.instanceId, goneBy(change, at));
    }
  }

  return {
    get position() {
      return position;
    },
    get held() {
      return held;
    },
    get services() {
      return services;
    },
    get leases() {
      return leases;
    },
    get tombstones() {
      return tombstones;
    },
    get emptySince() {
      return emptySince;
    },
    get paths() {
      return paths;
    },
    get slugs() {
      return slugs;
    },
    get addresses() {
      return addresses;
    },
    apply({ revision, changes }, now) {
      for (const change of changes) applyOne(change, now);
      forgetOldTombstones(now);
      position = { epoch: position.epoch, revision };
    },
    advance(revision) {
      position = { epoch: position.epoch, revision };
    },
    restore(at, { view, supersededRuns, tombstones: buried }) {
      held = view.held;
      ({ services, leases, tombstones, emptySince, paths, slugs, addresses } = held);
      for (const [key, lease] of leases) {
        const runs = supersededRuns.get(key) ?? [];
        if (runs.length + lease.supersededRuns.length === 0) continue;
        leases.set(key, { ...lease, supersededRuns: runs });
      }
      tombstones.clear();
      for (const [key, lease] of buried) if (!leases.has(key)) tombstones.set(key, lease);
      position = at;
    },
    renew({ key, generation, expiresAt, load }) {
      const lease = leases.get(key);
      if (lease?.generation !== generation) return false;
      leases.set(key, { ...lease, expiresAt, load: load ?? lease.load });
      return true;
    },
  };
}
