// Carries out what was decided, some at a time; what failed is tried again later and later.
import { type Instance, isRegError } from '@reg/schema';
import type { Instances, Watched } from './instances.ts';
import type { Policy } from './policies/policy.ts';
import { reasonText } from './reason-text.ts';
import type { Action } from './reconcile.ts';
import type { RegistryCaller } from './registry-access.ts';
import { entryKeyOf } from './said-key.ts';
import { someAtATime } from './some-at-a-time.ts';
import type { Listing } from './sources/registry.ts';

const atOnce = 16;
const maxReasonCharacters = 200;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** The change stream brings what we did; where it does not, the next look decides by what is there. */
const settlingMs = 3_000;
/** A gateway that has not applied the drain by then is not waited for. */
const drainWaitMs = 1_000;

export interface Carrier {
  /** Begins it, and does nothing for who has something under way. */
  carryOut(action: Action): void;
  /**
   * Drains it as part of something longer, which the caller ends. Resolves when the gateways send it nothing new.
   * @throws where the registry refuses, or does not answer
   */
  drainFor(watched: Watched, because: string): Promise<void>;
  /** Resolves when nothing is under way. */
  close(): Promise<void>;
}

interface Parts {
  readonly caller: RegistryCaller;
  readonly listing: Listing;
  readonly instances: Instances;
  readonly owner: string;
  readonly leaseMs: number;
  readonly log: (line: string) => void;
  readonly policyOf: (service: string) => Policy | undefined;
  /** It is time to look again. */
  readonly changed: () => void;
}

interface Position {
  readonly epoch: string;
  readonly revision: number;
}

export function createCarrier(parts: Parts): Carrier {
  const { caller, listing, instances, owner, leaseMs, log, policyOf, changed } = parts;
  const works = someAtATime(atOnce, changed);
  /** By service and `performance.now()`; while one is being set, without end. */
  const policiesPausedUntil = new Map<string, number>();
  const toldFailures = new Map<string, string>();

  function instanceTask(
    action: Exclude<Action, { do: 'set-policy' }>,
    watched: Watched,
  ): () => Promise<void> {
    const { service, instanceId, because } = action;
    watched.underWay = true;
    return async () => {
      const what = `${service} ${instanceId}`;
      try {
        const position = await perform(action.do, watched, because);
        watched.failures = 0;
        watched.pausedUntil = 0;
        toldFailures.delete(what);
        if (position) watched.settling = { ...position, until: performance.now() + settlingMs };
        log(`${what} ${done[action.do]}: ${because}`);
      } catch (error) {
        watched.failures += 1;
        watched.pausedUntil = performance.now() + pauseMs(watched.failures);
        tellFailure(what, action.do, error);
      } finally {
        watched.underWay = false;
      }
    };
  }

  /** @returns what the registry shows when it is seen; undefined: there was nothing to do */
  async function perform(
    what: 'register' | 'update' | 'drain' | 'unregister',
    watched: Watched,
    because: string,
  ): Promise<Position | undefined> {
    if (what === 'register' || what === 'update') return enter(what, watched);
    const { service, instanceId: id } = watched;
    const listed = listing.services.get(service)?.instances.get(id);
    if (!listed) return undefined;
    const request = { parameters: { service, id }, query: leaving(listed, because) };
    if (what === 'drain') {
      const position = await caller.ask('drain', request);
      watched.drainedByUs = true;
      return position;
    }
    watched.granted = undefined; // a run that has ended never comes back
    watched.drainedByUs = false;
    watched.wasUp = false;
    return caller.ask('unregister', request).catch(unlessGone);
  }

  async function enter(what: 'register' | 'update', watched: Watched): Promise<Position | undefined> {
    const { service, instanceId: id, said, found } = watched;
    if (!said || !found) return undefined;
    const known = listing.services.get(service);
    const listed = known?.instances.get(id);
    // Drained, it comes back as another run: the same one would stay drained.
    if (listed && what === 'register') watched.granted = undefined;
    const going =
      what === 'update' && listed?.runId !== undefined
        ? { runId: listed.runId, generation: listed.generation }
        : watched.granted;
    const run = going ?? { runId: `${found.identity ?? 'at'}.${crypto.randomUUID().slice(0, 8)}` };
    const { formerUrls = [] } = known?.definition ?? {};
    const redefine =
      known !== undefined &&
      !formerUrls.includes(said.url) &&
      entryKeyOf(known.definition) !== entryKeyOf(said);
    const body = { ...said, ...run, owner, lease: { ttlMs: leaseMs }, ...(redefine && { redefine }) };
    try {
      const reply = await caller.ask('register', { parameters: { service, id }, body });
      watched.granted = { runId: run.runId, generation: reply.generation };
      watched.drainedByUs = false;
      return { epoch: reply.epoch, revision: reply.revision };
    } catch (error) {
      if (isRegError(error) && error.code === 'generation_superseded') watched.granted = undefined;
      throw error;
    }
  }

  function policyTask({ service, because }: Extract<Action, { do: 'set-policy' }>): () => Promise<void> {
    policiesPausedUntil.set(service, Number.POSITIVE_INFINITY);
    return async () => {
      let until = performance.now() + settlingMs;
      try {
        const body = policyOf(service)?.shared ?? {};
        await caller.ask('setPolicy', { parameters: { service }, body });
        toldFailures.delete(service);
        log(`${service} policy set: ${because}`);
      } catch (error) {
        tellFailure(service, 'set-policy', error);
        until = performance.now() + longestPauseMs;
      }
      policiesPausedUntil.set(service, until);
    };
  }

  function tellFailure(what: string, how: Action['do'], error: unknown): void {
    const message = isRegError(error) ? `${error.code}: ${error.message}` : String(error);
    if (toldFailures.get(what) === message) return;
    toldFailures.set(what, message);
    log(`${what} not ${done[how]}: ${message}; trying again`);
  }

  return {
    carryOut(action) {
      if (action.do === 'set-policy') {
        if ((policiesPausedUntil.get(action.service) ?? 0) <= performance.now())
          works.add(policyTask(action));
      } else {
        const watched = instances.get(action.service, action.instanceId);
        if (watched && !watched.underWay) works.add(instanceTask(action, watched));
      }
    },
    async drainFor(watched, because) {
      const { service, instanceId: id } = watched;
      const listed = listing.services.get(service)?.instances.get(id);
      if (listed?.owner !== owner || listed.state === 'draining') return;
      const query = { ...leaving(listed, because), waitFor: 'gateways', wait: `${drainWaitMs}ms` };
      await caller.ask('drain', { parameters: { service, id }, query });
      log(`${service} ${id} drained: ${because}`);
    },
    close: works.close,
  };
}

const done = {
  register: 'registered',
  update: 'updated',
  drain: 'drained',
  unregister: 'unregistered',
  'set-policy': 'set',
} as const;

/** Which run is meant, and why it goes. */
function leaving({ runId, generation }: Instance, because: string): Record<string, string | number> {
  const run = runId === undefined ? { generation } : { runId };
  return { ...run, reason: reasonText(because, maxReasonCharacters) };
}

/** Twice as long each time. */
function pauseMs(failures: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
}

function unlessGone(error: unknown): undefined {
  const gone = isRegError(error) && ['instance_not_found', 'generation_superseded'].includes(error.code);
  if (!gone) throw error;
  return undefined;
}
