// What the registry said, as routes. Only services that a change touched are compiled again; the table
// is then swapped whole by whoever asks for it.
import {
  type Change,
  type ChangeSet,
  defaultLeaseMs,
  type Instance,
  type Position,
  regError,
  type ServiceDefinition,
  type Snapshot,
  serviceOf,
} from '@reg/schema';
import type { ConnectionPools } from '../upstreams/connection-pools.ts';
import { createUpstream, releaseUpstream, type Upstream } from '../upstreams/upstream.ts';
import { compileRoute, type Departed, type Route } from './route.ts';
import { emptyRouteTable, type RouteTable } from './route-table.ts';

export interface CatalogView {
  readonly table: RouteTable;
  readonly position: Position;
  /** Instances that only an earlier epoch knew. */
  readonly staleInstances: number;
  /**
   * Same epoch: the snapshot is the truth. Another one: the new registry may not have heard of everyone
   * yet, so what it lacks stays for one lease period.
   */
  replace(snapshot: Snapshot, now: number): void;
  /** @throws `compacted` where a change names what this view does not have: take a snapshot */
  apply(set: ChangeSet): void;
  /** Ends what was stale too long. @returns when to come again; undefined: nothing is stale */
  prune(now: number): number | undefined;
  /** Where a service stands in the table; undefined: nowhere. */
  routeOf(service: string): Route | undefined;
  /** As a snapshot, to be kept on disk; without what is stale. */
  snapshot(): Snapshot;
}

interface KnownService {
  definition: ServiceDefinition;
  /** Whether the registry of this epoch knows it. */
  listed: boolean;
  readonly upstreams: Map<string, Upstream>;
  readonly rotation: { next: number };
  departed: readonly Departed[];
}

/** Of one service, to tell of them; its table holds no more than that. */
const maxDeparted = 5;

export function createCatalogView(first: Snapshot, pools: ConnectionPools): CatalogView {
  const services = new Map<string, KnownService>();
  /** Where each service stands in the table. */
  const compiledAt = new Map<string, string>();
  let table = emptyRouteTable;
  let position: Position = { epoch: first.epoch, revision: first.revision };
  let staleInstances = 0;

  /** First out, then in: within one revision another service may take a path over. */
  function compile(touched: Iterable<string>): void {
    const names = [...touched];
    const edits = new Map<string, Route | undefined>();
    for (const name of names) {
      const path = compiledAt.get(name);
      if (path === undefined) continue;
      compiledAt.delete(name);
      if (table.at(path)?.definition.name === name) edits.set(path, undefined);
    }
    for (const name of names) {
      const service = services.get(name);
      if (!service) continue;
      const { definition, upstreams, rotation, listed, departed } = service;
      const holder = edits.has(definition.url) ? edits.get(definition.url) : table.at(definition.url);
      if (holder && !listed) continue; // the path belongs to whom the living registry gives it
      edits.set(definition.url, compileRoute(definition, [...upstreams.values()], rotation, departed));
      compiledAt.set(name, definition.url);
    }
    table = table.with(edits);
  }

  function put(service: KnownService, instance: Instance): void {
    const before = service.upstreams.get(instance.instanceId);
    service.upstreams.set(
      instance.instanceId,
      createUpstream(instance, before, pools, connectMsOf(service.definition)),
    );
    service.departed = without(service.departed, instance.instanceId);
    if (before) dispose(before); // only now, so that a pool both use stays open
  }

  function remove(service: KnownService, upstream: Upstream, departed?: Omit<Departed, 'instanceId'>): void {
    const { instanceId } = upstream.instance;
    service.upstreams.delete(instanceId);
    const others = without(service.departed, instanceId);
    service.departed = departed ? [{ instanceId, ...departed }, ...others].slice(0, maxDeparted) : others;
    dispose(upstream);
  }

  function dispose(upstream: Upstream): void {
    if (upstream.staleUntil !== undefined) staleInstances--;
    releaseUpstream(upstream, pools);
  }

  function define(definition: ServiceDefinition): KnownService {
    const known = services.get(definition.name);
    if (known) {
      const sameConnections = connectMsOf(known.definition) === connectMsOf(definition);
      Object.assign(known, { definition, listed: true });
      if (!sameConnections) reconnect(known);
      return known;
    }
    const service = { definition, listed: true, upstreams: new Map(), rotation: { next: 0 }, departed: [] };
    services.set(definition.name, service);
    return service;
  }

  /** Its connections are opened by another rule from now on; what is under way on the old ones finishes. */
  function reconnect({ definition, upstreams }: KnownService): void {
    for (const [id, before] of upstreams) {
      const again = createUpstream(before.instance, before, pools, connectMsOf(definition));
      upstreams.set(id, { ...again, staleUntil: before.staleUntil });
      releaseUpstream(before, pools);
    }
  }

  function applyOne(change: Change, at: number): void {
    if (change.kind === 'service-updated') {
      define(change.service);
      return;
    }
    const service = services.get(change.service);
    switch (change.kind) {
      case 'service-removed':
        for (const upstream of service?.upstreams.values() ?? []) dispose(upstream);
        services.delete(change.service);
        return;
      case 'instance-registered':
      case 'instance-updated':
      case 'instance-drained':
        if (!service) throw regError('compacted', `a change of the unknown service ${change.service}`);
        put(service, change.instance);
        return;
      case 'instance-unregistered':
      case 'instance-expired': {
        const held = service?.upstreams.get(change.instanceId);
        if (!service || !held) return;
        if (held.instance.generation > change.generation) return; // a new run has come since
        const how = change.kind === 'instance-expired' ? 'expired' : 'unregistered';
        remove(service, held, { how, at, reason: 'reason' in change ? change.reason : undefined });
      }
    }
  }

  /** What a snapshot lacks: gone where it is the truth, stale where its epoch is new. */
  function keepOrRemove(
    name: string,
    service: KnownService,
    listed: ReadonlySet<string>,
    now: number,
    keeps: boolean,
  ) {
    for (const [id, upstream] of service.upstreams) {
      if (listed.has(id)) continue;
      if (upstream.staleUntil !== undefined) continue; // its period runs already
      if (!keeps) {
        remove(service, upstream);
        continue;
      }
      staleInstances++;
      service.upstreams.set(id, { ...upstream, staleUntil: now + leasePeriodMs(upstream.instance) });
    }
    service.listed = false;
    if (service.upstreams.size === 0) services.delete(name);
  }

  const view: CatalogView = {
    get table() {
      return table;
    },
    get position() {
      return position;
    },
    get staleInstances() {
      return staleInstances;
    },
    replace(snapshot, now) {
      const keeps = snapshot.epoch !== position.epoch;
      const touched = new Set([...services.keys(), ...compiledAt.keys()]);
      const listed = new Map(snapshot.services.map(({ name, instances }) => [name, instances]));
      for (const [name, service] of services) {
        const ids = new Set(listed.get(name)?.map(({ instanceId }) => instanceId));
        keepOrRemove(name, service, ids, now, keeps);
      }
      for (const { instances, ...definition } of snapshot.services) {
        const service = define(definition);
        for (const instance of instances) put(service, instance);
        touched.add(definition.name);
      }
      position = { epoch: snapshot.epoch, revision: snapshot.revision };
      compile(touched);
    },
    apply({ revision, at, changes }) {
      const touched = new Set<string>();
      for (const change of changes) {
        applyOne(change, at);
        touched.add(serviceOf(change));
      }
      position = { epoch: position.epoch, revision };
      compile(touched);
    },
    prune(now) {
      if (staleInstances === 0) return undefined;
      const touched = new Set<string>();
      let next: number | undefined;
      for (const [name, service] of services) {
        for (const upstream of service.upstreams.values()) {
          if (upstream.staleUntil === undefined) continue;
          if (upstream.staleUntil > now) {
            next = Math.min(next ?? upstream.staleUntil, upstream.staleUntil);
            continue;
          }
          touched.add(name);
          remove(service, upstream, { how: 'unconfirmed', at: upstream.staleUntil, reason: undefined });
        }
        if (!service.listed && service.upstreams.size === 0) services.delete(name);
      }
      compile(touched);
      return next;
    },
    routeOf(service) {
      const route = table.at(compiledAt.get(service) ?? '');
      return route?.definition.name === service ? route : undefined;
    },
    snapshot: () => ({
      ...position,
      services: [...services.values()]
        .filter(({ listed }) => listed)
        .map(({ definition, upstreams }) => ({ ...definition, instances: listedInstances(upstreams) })),
    }),
  };
  view.replace(first, 0);
  return view;
}

function connectMsOf({ policy }: ServiceDefinition): number | undefined {
  return policy?.timeouts?.connectMs;
}

function without(departed: readonly Departed[], instanceId: string): readonly Departed[] {
  return departed.filter((one) => one.instanceId !== instanceId);
}

function listedInstances(upstreams: ReadonlyMap<string, Upstream>): Instance[] {
  return [...upstreams.values()]
    .filter((one) => one.staleUntil === undefined)
    .map(({ instance }) => instance);
}

function leasePeriodMs({ lease }: Instance): number {
  return lease === 'none' ? defaultLeaseMs : lease.ttlMs;
}
