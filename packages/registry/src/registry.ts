// The registry: each operation is a rule that decides on the view (join, leave, move-path, reaper: pure,
// `now` goes in), and a write to the store in the same turn, so that nobody comes between.
import {
  type Catalog,
  type ChangeSet,
  type HealthReason,
  isRegError,
  type LoadReport,
  type LoopLoad,
  type Note,
  type Position,
  type RegistrationBody,
  type RegistryHealth,
  type Reply,
  regError,
  type ServicePolicy,
  type Snapshot,
  summarize,
} from '@reg/schema';
import { defaultUpstreamNetworks, parseNetworks } from '@reg/schema/networks';
import { catalogOf } from './catalog-of.ts';
import { type Clock, createSystemClock } from './clock.ts';
import { checkOwnPaths, type PathGrant } from './conflict.ts';
import type { Decision } from './decision.ts';
import { createGateways } from './gateways.ts';
import type { HistoryQuery, Origin } from './history.ts';
import { decideJoin } from './join.ts';
import { checkRun, type RunName, renewedUntil } from './lease.ts';
import { decideDrain, decideUnregister, describe, type Leaving } from './leave.ts';
import { createListings } from './listings.ts';
import { createLoadReports } from './load-reports.ts';
import { decideMovePath, type PathMove } from './move-path.ts';
import { createNotes } from './notes.ts';
import { createReadWaits, type ReadWaits } from './read-waits.ts';
import { startReaper } from './reaper-timer.ts';
import { decideScale } from './scale.ts';
import { decideSetPolicy } from './set-policy.ts';
import { type InstanceName, instanceKey, type Renewal, type Store } from './store.ts';
import { createStoreFaults, invalidIn, storeReasons } from './store-health.ts';
import { type Asking, checkRegistrant, checkService, type Writer } from './writer.ts';

/** Wait, at most `waitMs`, until every connected gateway has applied the change. */
export interface Waiting {
  readonly waitFor?: 'gateways' | undefined;
  /** @default 5_000 for register, 1_000 for drain */
  readonly waitMs?: number | undefined;
}

/** A renewal as it is asked for. */
export interface RenewalRequest extends InstanceName {
  readonly generation: number;
  /** Kept with the lease, in memory: no change, so nobody is woken. */
  readonly load?: LoopLoad | undefined;
}

/**
 * The registry: rules over a store. Every method takes what `contract` already parsed, answers with
 * its reply, and throws a RegError whose code the contract names. It knows no HTTP.
 */
export interface Registry extends ReadWaits {
  register(
    name: InstanceName,
    body: RegistrationBody,
    options?: Waiting & Asking,
  ): Promise<Reply<'register'> & { created: boolean }>;
  renew(
    name: InstanceName,
    generation: number,
    options?: { load?: LoopLoad | undefined; writer?: Writer | undefined },
  ): Promise<Reply<'renew'>>;
  renewMany(renewals: readonly RenewalRequest[], writer?: Writer): Promise<Reply<'renewMany'>>;
  drain(name: InstanceName, run: RunName, options?: Waiting & Leaving): Promise<Reply<'drain'>>;
  unregister(name: InstanceName, run: RunName, options?: Leaving): Promise<Reply<'unregister'>>;
  movePath(move: PathMove, asking?: Asking): Promise<Reply<'movePath'>>;
  setPolicy(service: string, policy: ServicePolicy, asking?: Asking): Promise<Reply<'setPolicy'>>;
  /** @param instances null: as many as the policy says */
  scale(service: string, instances: number | null, asking?: Asking): Promise<Reply<'scale'>>;
  /** What happened, oldest first. */
  history(query?: HistoryQuery): Reply<'history'>;
  /** @throws `not_permitted`, `limit_reached`: too many at once, `store_unavailable` */
  addNotes(notes: readonly Note[], asking?: Asking): Promise<Reply<'addNotes'>>;
  /** For listings, in memory; a gateway's report needs no writer. @throws `not_permitted`, `service_not_found`, `limit_reached` */
  reportLoad(service: string, report: LoadReport, asking?: Asking): void;
  listServices(): Reply<'listServices'>;
  getService(service: string): Reply<'getService'>;
  snapshot(): Snapshot;
  position(): Position;
  /**
   * Change sets after a position; ends when `signal` aborts or the registry is closed. With `gateway`:
   * that gateway counts as connected while this runs, and 2 s longer.
   * @throws `compacted`, `limit_reached` at once, so that a refusal can still be an answer; later
   * `compacted` when the reader fell behind
   */
  changes(after: Position, signal: AbortSignal, gateway?: string): AsyncIterable<ChangeSet>;
  reportApplied(gateway: string, position: Position): void;
  health(): RegistryHealth;
  /** This registry as the catalog of a gateway in the same process; it counts as connected while it follows. */
  catalog(gateway: string): Catalog;
  /** Ends the reaper and every watch; the store is closed too. */
  close(): Promise<void>;
}

export interface RegistryOptions {
  readonly store: Store;
  /** @default the system's */
  readonly clock?: Clock;
  /** Who may have `/`. @default nobody */
  readonly grants?: readonly PathGrant[];
  /** Where gateways answer themselves, as canonical paths: no service may have one, nor one below. @default none */
  readonly reservedPaths?: readonly string[];
  /** @default 200_000 */
  readonly maxInstances?: number;
  /** Networks in which endpoints may be; link-local and cloud metadata never are. @default loopback and private ranges */
  readonly allowUpstreams?: readonly string[] | undefined;
}

/** Of one decision, where several registries share a store: each loss means that another one has won. */
const attemptsAtMost = 20;

/** @throws Error for one of `allowUpstreams` that is no network */
export function createRegistry({
  store,
  clock = createSystemClock(),
  grants = [],
  reservedPaths = [],
  maxInstances = 200_000,
  allowUpstreams = defaultUpstreamNetworks,
}: RegistryOptions): Registry {
  const { view } = store;
  const rules = { grants, maxInstances, upstreamNetworks: parseNetworks(allowUpstreams) };
  const gateways = createGateways(clock);
  const storeFaults = createStoreFaults(() => clock.now());

  /** @throws `store_unavailable` for whatever is wrong with the store itself; health says so until it works */
  function guarded<Result>(what: 'write' | 'renewal', work: Promise<Result>): Promise<Result> {
    return work.then(
      (result) => {
        storeFaults.worked(what);
        return result;
      },
      (cause: unknown) => {
        if (isRegError(cause) && cause.code !== 'store_unavailable') throw cause;
        const fault = isRegError(cause) ? cause.message : `the store did not take a ${what}`;
        storeFaults.failed(what, fault);
        throw regError('store_unavailable', fault, { cause });
      },
    );
  }

  /** Decides and writes; where another registry came between, decides again on what it did. */
  async function commit<Decided extends Decision>(
    decide: (now: number) => Decided,
    origin?: Origin,
  ): Promise<{ position: Position; decided: Decided }> {
    for (let attempt = 0; attempt < attemptsAtMost; attempt++) {
      const now = clock.now();
      const decided = decide(now);
      const { changes, replaces } = decided;
      if (changes.length === 0) return { position: store.position(), decided };
      const written = await guarded('write', store.write(changes, replaces, now, origin));
      if (written === 'raced') continue;
      // What changed nothing after all is told to nobody, so nobody will have come to it.
      if (written.changes.length === 0) return { position: store.position(), decided };
      return { position: { epoch: view.position.epoch, revision: written.revision }, decided };
    }
    throw regError('store_unavailable', `others changed the same ${attemptsAtMost} times meanwhile`);
  }

  async function missingAt(position: Position, { waitFor, waitMs }: Waiting, defaultMs: number) {
    if (waitFor === undefined) return {};
    return { missing: await gateways.waitFor(position, waitMs ?? defaultMs) };
  }

  /** @throws `not_permitted`, `instance_foreign`, `instance_not_found`, `generation_superseded` */
  function decideRenewal(
    { generation, load, ...name }: RenewalRequest,
    now: number,
    writer?: Writer,
  ): Renewal {
    const key = instanceKey(name);
    const lease = view.leases.get(key);
    checkService(writer, name.service);
    checkRegistrant(writer, lease, describe(name));
    checkRun(lease ?? view.tombstones.get(key), { generation }, describe(name));
    if (!lease)
      throw regError('instance_not_found', `the lease of ${describe(name)} has ended: register again`);
    return { key, generation, expiresAt: renewedUntil(lease, now), load };
  }

  async function renewOne(renewal: Renewal, name: InstanceName): Promise<void> {
    const lost = await guarded('renewal', store.renew([renewal]));
    if (lost.length > 0) throw regError('instance_not_found', `${describe(name)} is not registered any more`);
  }

  async function renewMany(
    renewals: readonly RenewalRequest[],
    writer?: Writer,
  ): Promise<Reply<'renewMany'>> {
    const now = clock.now();
    const allowed: Renewal[] = [];
    const results = renewals.map((request) => {
      const { service, id } = request;
      try {
        const renewal = decideRenewal(request, now, writer);
        allowed.push(renewal);
        return { service, id, leaseUntil: renewal.expiresAt };
      } catch (error) {
        return refusedRenewal({ service, id }, error);
      }
    });
    const lost = new Set(await guarded('renewal', store.renew(allowed)));
    return {
      results: results.map((result) => {
        const { service, id } = result;
        if (!lost.has(instanceKey({ service, id })) || 'code' in result) return result;
        return { service, id, code: 'instance_not_found' as const, detail: 'not registered any more' };
      }),
    };
  }

  const byItself: Origin = { by: 'registry' };
  const reaper = startReaper({ clock, store, commit: (decide) => commit(decide, byItself) });
  const readWaits = createReadWaits(store, clock);
  const loads = createLoadReports(view, clock);
  const addNotes = createNotes(store, clock);
  const listings = createListings(store, {
    isHoldingBack: () => reaper.seen().holdingBack,
    loadOf: loads.of,
  });

  function changes(after: Position, signal: AbortSignal, gateway?: string): AsyncIterable<ChangeSet> {
    const sets = store.changes(after, signal);
    if (gateway === undefined) return sets;
    const closed = gateways.opened(gateway);
    signal.addEventListener('abort', closed, { once: true });
    if (signal.aborted) closed();
    return watched(sets, () => {
      signal.removeEventListener('abort', closed);
      closed();
    });
  }

  function health(): RegistryHealth {
    const { holdingBack, overdue, leased } = reaper.seen();
    const held = `holding back: ${overdue} of ${leased} leases are overdue, nobody expires`;
    const condition = store.condition?.();
    // Warnings, all of them: it answers reads, and a registry that is taken out answers nobody.
    const warnings: HealthReason[] = [
      ...(holdingBack ? [{ code: 'holding_back' as const, text: held }] : []),
      ...storeReasons(condition, storeFaults.list()),
    ];
    const none = { epoch: view.position.epoch, revision: 0 };
    return {
      ...summarize([], warnings),
      store: store.kind,
      ...store.position(),
      services: view.services.size,
      instances: view.leases.size,
      holdingBack,
      ...invalidIn(condition),
      gateways: gateways.connected().map(({ id, applied = none }) => ({ id, ...applied })),
    };
  }

  const registry: Registry = {
    async register(name, body, { writer, origin, ...waiting } = {}) {
      checkOwnPaths(body.url, reservedPaths);
      const { position, decided: join } = await commit(
        (now) => decideJoin(view, name, body, { ...rules, writer }, store.nextRevision(now), now),
        origin,
      );
      const { instanceId, generation, lease } = join.instance;
      if (join.renews) {
        const expiresAt = lease === 'none' ? null : clock.now() + lease.ttlMs;
        await renewOne({ key: instanceKey(name), generation, expiresAt }, name);
      }
      const leaseUntil = view.leases.get(instanceKey(name))?.expiresAt ?? null;
      const missing = await missingAt(position, waiting, 5_000);
      return { instanceId, generation, leaseUntil, ...position, ...missing, created: join.created };
    },
    async renew(name, generation, { load, writer } = {}) {
      const renewal = decideRenewal({ ...name, generation, load }, clock.now(), writer);
      await renewOne(renewal, name);
      return { leaseUntil: renewal.expiresAt };
    },
    renewMany,
    async drain(name, run, { waitFor, waitMs, ...leaving } = {}) {
      const waiting = { waitFor, waitMs };
      const { position } = await commit(() => decideDrain(view, name, run, leaving), leaving.origin);
      return { ...position, ...(await missingAt(position, waiting, 1_000)) };
    },
    async unregister(name, run, leaving) {
      const { position } = await commit(() => decideUnregister(view, name, run, leaving), leaving?.origin);
      return position;
    },
    async movePath(move, { writer, origin } = {}) {
      for (const service of [move.from, move.to]) checkService(writer, service);
      const { position } = await commit(() => decideMovePath(view, move, grants), origin);
      return position;
    },
    async setPolicy(service, policy, { writer, origin } = {}) {
      const { position } = await commit(() => decideSetPolicy(view, service, policy, writer), origin);
      return position;
    },
    async scale(service, instances, { writer, origin } = {}) {
      const { position } = await commit(() => decideScale(view, service, instances, writer), origin);
      return position;
    },
    history: (query = {}) => store.history.read(query),
    async addNotes(notes, asking = {}) {
      await guarded('write', addNotes(notes, asking));
      return view.position; // the notes' own, which no change set has
    },
    reportLoad: loads.report,
    ...listings,
    ...readWaits,
    position: store.position,
    changes,
    reportApplied: gateways.reported,
    health,
    catalog: (gateway) => catalogOf(registry, gateway, () => store.condition?.().faults[0]),
    async close() {
      reaper.stop();
      gateways.close();
      await store.close();
    },
  };
  return registry;
}

async function* watched(sets: AsyncIterable<ChangeSet>, closed: () => void): AsyncGenerator<ChangeSet> {
  try {
    yield* sets;
  } finally {
    closed();
  }
}

/** @throws what is no answer to one renewal alone */
function refusedRenewal({ service, id }: InstanceName, error: unknown) {
  if (!isRegError(error)) throw error;
  const { code, message: detail } = error;
  switch (code) {
    case 'not_permitted':
    case 'instance_foreign':
    case 'instance_not_found':
    case 'generation_superseded':
      return { service, id, code, detail };
    default:
      throw error;
  }
}
