// Has as many of a service as its policy wants: looks at the load, lets `decide` decide, and carries it out.

import type { Carrier } from '../carry-out.ts';
import { now } from '../clock.ts';
import type { Hooks } from '../hooks.ts';
import type { Instances, Watched } from '../instances.ts';
import type { Notes } from '../notes.ts';
import type { Scaling } from '../policies/effective-policy.ts';
import type { Start } from '../policies/policy-file.ts';
import type { RegistryCaller } from '../registry-access.ts';
import type { ServiceWatch } from '../service-watch.ts';
import type { Listing } from '../sources/registry.ts';
import { beginScaling, type Counted, decideScaling, type ScalingMemory, type ScalingStep } from './decide.ts';
import { type Judged, judgeLoad, type Load, sumLoads } from './judge-load.ts';
import { type Pending, stillPending, withName, withoutLast } from './pending.ts';
import { commandStarter } from './starters/command.ts';
import type { Starter, StarterContext } from './starters/starter.ts';
import { systemdStarter } from './starters/systemd.ts';
import { webhookStarter } from './starters/webhook.ts';

export interface Scaler {
  /** One look at each service; does nothing for one at which it looks already. */
  look(): void;
  /** Somebody may have come: one that lives shorter than the time between two looks came, too. */
  settle(): void;
  close(): void;
}

interface Parts {
  readonly caller: RegistryCaller;
  readonly carrier: Carrier;
  readonly listing: Listing;
  readonly instances: Instances;
  readonly watches: ReadonlyMap<string, ServiceWatch>;
  readonly owner: string;
  readonly notes: Notes;
  readonly hooks: Hooks;
  readonly log: (line: string) => void;
}

interface Scaled {
  memory: ScalingMemory;
  starter: { readonly key: string; readonly it: Starter } | undefined;
  toldHigh: boolean;
  looking: boolean;
}

export function createScaler(parts: Parts): Scaler {
  const { caller, carrier, listing, instances, watches, owner, notes, hooks, log } = parts;
  const scaled = new Map<string, Scaled>();
  let closed = false;

  function stateOf(service: string): Scaled {
    const known = scaled.get(service) ?? {
      memory: beginScaling(now()),
      starter: undefined,
      toldHigh: false,
      looking: false,
    };
    scaled.set(service, known);
    return known;
  }

  async function lookAt(watch: ServiceWatch, scaling: Scaling): Promise<void> {
    const { service } = watch.policy;
    const state = stateOf(service);
    if (state.looking || !watch.looked || !isOurs(service)) return;
    state.looking = true;
    try {
      const load = await loadOf(service);
      if (closed) return;
      // After the wait: who came meanwhile is in neither `pending` nor an older count.
      const starter = starterOf(watch, state);
      const counted = count(service, starter);
      const passing = counted.filter((one) => one.state === 'passing').length;
      const judged = judgeLoad(load, scaling.highLoad, passing, now());
      const { wanted } = listing.services.get(service)?.definition ?? {};
      const pendingMs = Math.min(scaling.pendingMs, starter?.pendingMs ?? 0);
      const question = { scaling: { ...scaling, pendingMs }, wanted, instances: counted, load: judged };
      const decided = decideScaling(question, state.memory, now());
      tellHigh(watch, scaling, state, judged);
      if (!starter) state.memory = { ...decided.memory, pending: [] };
      else {
        state.memory = decided.memory;
        if (decided.step) carryOut(decided.step, service, starter, state, scaling);
      }
    } finally {
      state.looking = false;
    }
  }

  /** Of several registrars the first by name that has instances of it; where none has, any. */
  function isOurs(service: string): boolean {
    const owners = [...(listing.services.get(service)?.instances.values() ?? [])].flatMap((one) =>
      one.owner?.startsWith('registrar:') ? [one.owner] : [],
    );
    return owners.length === 0 || (owners.includes(owner) && owners.every((other) => other >= owner));
  }

  async function loadOf(service: string): Promise<Load | undefined> {
    if (!listing.services.has(service)) return undefined;
    const replies = await caller.askEach('getService', { parameters: { service } }).catch(() => []);
    return sumLoads(replies.map(({ load }) => load));
  }

  function count(service: string, starter: Starter | undefined): Counted[] {
    const listed = listing.services.get(service)?.instances;
    const watched = instances.of(service).filter(({ found }) => found !== undefined);
    const known = new Set(watched.map(({ instanceId }) => instanceId));
    const ours = watched.map(
      (one): Counted => ({
        instanceId: one.instanceId,
        instance: one.found?.instance,
        state: countedState(one, listed?.get(one.instanceId)?.state),
        since: one.foundSince,
        stoppable: starter?.canStop(one) ?? false,
      }),
    );
    const others = [...(listed?.values() ?? [])].flatMap(({ instanceId, state }): Counted[] =>
      known.has(instanceId)
        ? []
        : [{ instanceId, state: state === 'up' ? 'passing' : 'stopping', since: 0, stoppable: false }],
    );
    return [...ours, ...others];
  }

  function changePending(state: Scaled, change: (pending: readonly Pending[]) => readonly Pending[]): void {
    state.memory = { ...state.memory, pending: change(state.memory.pending) };
  }

  function tellHigh(
    { policy }: ServiceWatch,
    scaling: Scaling,
    state: Scaled,
    { pressure, because }: Judged,
  ): void {
    const { service } = policy;
    if (pressure !== 'high') state.toldHigh = false;
    else if (!state.toldHigh && now() - state.memory.pressureSince >= scaling.highForMs) {
      state.toldHigh = true;
      log(`${service} load is high: ${because}`);
      notes.add({ service, event: 'high-load', text: because });
      hooks.run(policy.file.on?.highLoad, {
        event: 'high-load',
        service,
        because,
        at: now(),
        registrar: owner,
      });
    }
  }

  function starterOf({ policy }: ServiceWatch, state: Scaled): Starter | undefined {
    const { start } = policy.file.scaling ?? {};
    const key = JSON.stringify(start);
    if (!start) state.starter = undefined;
    else if (state.starter?.key !== key) {
      const { service } = policy;
      const lost = (instance: string) => {
        changePending(state, (pending) => withoutLast(pending, instance));
      };
      const context = { service, owner, log, lost, instances: () => instances.of(service) };
      state.starter = { key, it: makeStarter(start, context) };
    }
    return state.starter?.it;
  }

  function carryOut(
    step: ScalingStep,
    service: string,
    starter: Starter,
    state: Scaled,
    scaling: Scaling,
  ): void {
    if (step.do === 'start')
      for (let left = step.count; left > 0; left--) void startOne(service, starter, state, step.because);
    else {
      const watched = instances.get(service, step.instanceId);
      if (watched) void stopOne(watched, starter, step.because, scaling.drainMs);
    }
  }

  async function startOne(service: string, starter: Starter, state: Scaled, because: string): Promise<void> {
    try {
      const { what, instance } = await starter.start(because);
      changePending(state, (pending) => withName(pending, instance));
      log(`${service} started ${what}: ${because}`);
      notes.add({ service, event: 'scaled-up', text: `${what}: ${because}` });
    } catch (error) {
      // It never will be there, so it is not waited for; the next is asked for later and later.
      changePending(state, (pending) => withoutLast(pending, undefined));
      log(`${service} not started: ${(error as Error).message}`);
      notes.add({ service, event: 'scale-up-failed', text: (error as Error).message });
    }
  }

  async function stopOne(
    watched: Watched,
    starter: Starter,
    because: string,
    drainMs: number,
  ): Promise<void> {
    const { service, instanceId } = watched;
    watched.stopping = true;
    const { found } = watched;
    try {
      await carrier.drainFor(watched, because);
      await new Promise((resolve) => setTimeout(resolve, drainMs)); // what it has begun is finished meanwhile
      if (watched.found?.identity !== found?.identity) return; // it ended, and another came
      await starter.stop(watched, because);
      log(`${service} ${instanceId} stopped: ${because}`);
      notes.add({ service, instanceId, event: 'scaled-down', text: because });
    } catch (error) {
      watched.stopping = false;
      watched.drainedByUs = true; // listed anew if it passes
      log(`${service} ${instanceId} not stopped: ${(error as Error).message}`);
    }
  }

  return {
    look() {
      for (const service of scaled.keys()) if (!watches.has(service)) scaled.delete(service);
      for (const watch of watches.values()) {
        const { scaling } = watch.effective;
        if (scaling) void lookAt(watch, scaling);
      }
    },
    settle() {
      for (const [service, state] of scaled) {
        if (state.memory.pending.length === 0) continue;
        const names = new Set(instances.of(service).map(({ found }) => found?.instance));
        const pending = stillPending(state.memory.pending, names);
        const came = state.memory.pending.length - pending.length;
        state.memory = { ...state.memory, pending, running: state.memory.running + came };
      }
    },
    close() {
      closed = true;
    },
  };
}

function makeStarter(start: Start, context: StarterContext): Starter {
  if ('systemd' in start) return systemdStarter(start, context);
  return 'command' in start ? commandStarter(start, context) : webhookStarter(start, context);
}

/** It does its part once it passes and is listed. */
function countedState(
  { stopping, health }: Watched,
  listed: 'up' | 'draining' | undefined,
): Counted['state'] {
  if (stopping) return 'stopping';
  if (health.state === 'failing') return 'failing';
  return listed === 'up' && health.state !== 'starting' ? 'passing' : 'starting';
}
