// The rules again, as simply as they can be said: plain lists, everything searched from the start, nothing
// shared with the registry's own code. It knows no revisions: generations are told to it by the replies,
// and it only says whether one must be the old one or a new one.
import type { ProblemCode, RegistrationBody, ServicePolicy } from '@reg/schema';
import type { RunName } from '../lease.ts';
import type { InstanceName } from '../store.ts';

interface ModelInstance extends InstanceName {
  generation: number;
  state: 'up' | 'draining';
  address: string;
  leaseMs: number | null;
  expiresAt: number | null;
}

interface ModelService {
  name: string;
  slug: string;
  url: string;
  /** Its paths before it was moved, the last one first. */
  formerUrls: string[];
  roles: string;
  policy: ServicePolicy | undefined;
  wanted: number | undefined;
  emptySince: number | undefined;
  /** Its last instance did not say goodbye. */
  lastExpired: boolean;
}

/** What is remembered of an instance id of a service, listed or not. */
interface Memory extends InstanceName {
  runId: string | undefined;
  generation: number;
  mayNotReturn: string[];
  ended: boolean;
}

/** Refused; or accepted with the generation it must have, or a new one. */
type Expected = { refused: ProblemCode } | { generation: number | 'new' };

export interface Model {
  readonly services: ModelService[];
  readonly instances: ModelInstance[];
  register(name: InstanceName, body: RegistrationBody, slug: string, now: number): Expected;
  /** Tells the model what `register` was answered. */
  registered(name: InstanceName, generation: number): void;
  renew(name: InstanceName, generation: number, now: number): ProblemCode | undefined;
  drain(name: InstanceName, run: RunName): ProblemCode | undefined;
  unregister(name: InstanceName, run: RunName, now: number): ProblemCode | undefined;
  movePath(path: string, from: string, to: string): ProblemCode | undefined;
  set(
    service: string,
    settings: Pick<ModelService, 'policy'> | Pick<ModelService, 'wanted'>,
  ): ProblemCode | undefined;
  /** The reaper looked at `now`. */
  looked(now: number): void;
}

export function createModel(): Model {
  const services: ModelService[] = [];
  const instances: ModelInstance[] = [];
  const memories: Memory[] = [];

  const same = (one: InstanceName, { service, id }: InstanceName) => one.service === service && one.id === id;
  const listed = (name: InstanceName) => instances.find((one) => same(one, name));
  const remembered = (name: InstanceName) => memories.find((one) => same(one, name));
  const serviceNamed = (name: string) => services.find((one) => one.name === name);
  const alive = (service: string) => instances.filter((one) => one.service === service);
  const remove = <Item>(list: Item[], item: Item) => void list.splice(list.indexOf(item), 1);

  function unlist(instance: ModelInstance, now: number, expired: boolean): void {
    remove(instances, instance);
    const service = serviceNamed(instance.service);
    if (!service || alive(service.name).length > 0) return;
    service.emptySince = now;
    service.lastExpired = expired;
  }

  /** Without instances, and nothing that it would stay for. */
  function endIfOver(service: ModelService | undefined): void {
    if (!service || alive(service.name).length > 0 || service.lastExpired) return;
    if (service.formerUrls.length > 0 || service.policy?.fallback || service.wanted !== undefined) return;
    remove(services, service);
  }

  /** The generation a run must get. */
  function fence(memory: Memory | undefined, { runId, generation }: RegistrationBody): Expected {
    if (!memory) return { generation: wanted(generation) };
    if (runId !== undefined && memory.mayNotReturn.includes(runId))
      return { refused: 'generation_superseded' };
    const byGeneration = runId === undefined && generation !== undefined;
    const isSame = byGeneration ? generation === memory.generation : runId === memory.runId;
    if (isSame && !memory.ended) return { generation: memory.generation };
    if (generation !== undefined && generation <= memory.generation)
      return { refused: 'generation_superseded' };
    return { generation: wanted(generation) };
  }

  /** Histories send generations that were granted to somebody, or one from a future that never comes. */
  function wanted(generation: number | undefined): number | 'new' {
    return generation === undefined || generation >= 2 ** 50 ? 'new' : generation;
  }

  function whichRun(name: InstanceName, run: RunName): ProblemCode | undefined {
    const memory = remembered(name);
    if (!memory) return 'instance_not_found';
    if (run.force || run.generation === memory.generation) return undefined;
    if (run.generation !== undefined && run.generation < memory.generation) return 'generation_superseded';
    if (run.generation !== undefined) return 'instance_not_found';
    if (run.runId === memory.runId) return undefined;
    return memory.mayNotReturn.includes(run.runId ?? '') ? 'generation_superseded' : 'instance_not_found';
  }

  function retire(memory: Memory): void {
    if (memory.runId === undefined || memory.mayNotReturn.includes(memory.runId)) return;
    memory.mayNotReturn.push(memory.runId);
    if (memory.mayNotReturn.length > 16) memory.mayNotReturn.shift();
  }

  return {
    services,
    instances,
    register(name, body, slug, now) {
      const fenced = fence(remembered(name), body);
      if ('refused' in fenced) return fenced;
      const roles = JSON.stringify(body.authorizedRoles);
      const service = serviceNamed(name.service);
      const isFormer = service?.formerUrls.includes(body.url) && !body.redefine;
      const url = service && isFormer ? service.url : body.url;
      const urlDiffers = service?.url !== url;
      const differs = urlDiffers || service?.roles !== roles;
      const hasOthers = alive(name.service).some((one) => one.id !== name.id);
      if (differs && hasOthers && !body.redefine) return { refused: 'registration_conflict' };
      if (urlDiffers && (url === '/' || url.startsWith('/_reg'))) return { refused: 'path_reserved' };
      const holder = services.find((one) => one.url === url && one !== service);
      const twin = services.find((one) => one.slug === slug && one !== service);
      if (urlDiffers && holder && alive(holder.name).length > 0) return { refused: 'path_taken' };
      if (!service && twin && alive(twin.name).length > 0) return { refused: 'slug_taken' };
      const address = body.endpoints[0]?.url ?? '';
      if (instances.some((one) => one.address === address && one.id !== name.id))
        return { refused: 'endpoint_taken' };

      if (urlDiffers && holder) remove(services, holder);
      if (!service && twin && services.includes(twin)) remove(services, twin);
      const definition = { url, roles, emptySince: undefined, ...(urlDiffers && { formerUrls: [] }) };
      if (service) Object.assign(service, definition);
      else {
        const unset = { policy: undefined, wanted: undefined, lastExpired: false };
        services.push({ name: name.service, slug, formerUrls: [], ...unset, ...definition });
      }
      const leaseMs = body.lease === 'none' ? null : (body.lease?.ttlMs ?? 10_000);
      const lease = { address, leaseMs, expiresAt: leaseMs === null ? null : now + leaseMs };
      const instance = listed(name);
      const goesOn = fenced.generation === instance?.generation;
      if (instance) Object.assign(instance, lease, goesOn ? {} : { state: 'up' });
      else instances.push({ ...name, ...lease, generation: 0, state: 'up' });
      const memory = remembered(name);
      if (!memory)
        memories.push({ ...name, runId: body.runId, generation: 0, mayNotReturn: [], ended: false });
      else if (fenced.generation !== memory.generation) {
        retire(memory);
        Object.assign(memory, { runId: body.runId, ended: false });
      }
      return fenced;
    },
    registered(name, generation) {
      for (const one of [listed(name), remembered(name)]) if (one) one.generation = generation;
    },
    renew(name, generation, now) {
      const refused = whichRun(name, { generation });
      if (refused) return refused;
      const instance = listed(name);
      if (!instance) return 'instance_not_found';
      if (instance.leaseMs !== null) instance.expiresAt = now + instance.leaseMs;
      return undefined;
    },
    drain(name, run) {
      const refused = whichRun(name, run);
      if (refused) return refused;
      const instance = listed(name);
      if (!instance) return 'instance_not_found';
      instance.state = 'draining';
      return undefined;
    },
    unregister(name, run, now) {
      const refused = whichRun(name, run);
      const instance = listed(name);
      const memory = remembered(name);
      if (refused || !instance || !memory) return refused;
      unlist(instance, now, false);
      endIfOver(serviceNamed(name.service));
      memory.ended = !run.force;
      if (memory.ended) retire(memory);
      return undefined;
    },
    movePath(path, from, to) {
      const [giver, taker] = [serviceNamed(from), serviceNamed(to)];
      if (!giver || !taker) return 'service_not_found';
      if (taker.url === path) return undefined;
      if (!services.some((one) => one.url === path)) return 'registration_conflict';
      if (giver.url !== path) return 'path_taken';
      for (const one of [giver, taker]) {
        const other = one === giver ? taker : giver;
        one.formerUrls = [one.url, ...one.formerUrls].filter((former) => former !== other.url);
      }
      [giver.url, taker.url] = [taker.url, giver.url];
      return undefined;
    },
    set(name, settings) {
      const service = serviceNamed(name);
      if (!service) return 'service_not_found';
      const changes = Object.entries(settings).some(
        ([key, value]) => JSON.stringify(service[key as 'policy' | 'wanted']) !== JSON.stringify(value),
      );
      Object.assign(service, settings);
      if (changes) endIfOver(service);
      return undefined;
    },
    looked(now) {
      for (const one of [...instances]) {
        if (one.expiresAt !== null && one.expiresAt <= now) unlist(one, now, true);
      }
      for (const one of [...services]) {
        if (one.emptySince !== undefined && one.emptySince <= now - 3_600_000) remove(services, one);
      }
    },
  };
}
