import { setTimeout as sleep } from 'node:timers/promises';
import { regError } from '@reg/schema/problem';
import { registryAddresses } from './addresses.ts';
import { checkDuration, invalid } from './invalid.ts';
import { standIn } from './stand-in.ts';
import { createBearer, type TokenSource } from './token.ts';
import { createTransport } from './transport.ts';
import { createView, type DiscoveredInstance, type View } from './view.ts';
import { follow } from './watch.ts';

export interface DiscoverOptions {
  /** Where the registry is; a comma-separated list names several. @default as in `register` */
  readonly registry?: string | undefined;
  /** Of the registry, where it needs one; a function is asked before each request. @default `REG_REGISTRY_TOKEN` */
  readonly token?: TokenSource | undefined;
  /** How long the first answer is waited for. @default 5_000 */
  readonly waitMs?: number | undefined;
}

/** A live local view of one service. */
export interface Discovery {
  readonly name: string;
  /** All that are listed, ordered by instance id. Replaced as a whole when it changes. */
  readonly instances: readonly DiscoveredInstance[];
  /** What the view has seen; undefined before the first answer. */
  readonly epoch: string | undefined;
  readonly revision: number | undefined;
  /** Milliseconds since the registry was last heard: below 6,000 while it is there; `Infinity` before. */
  readonly ageMs: number;
  /**
   * The next in turn of those that are up. None is: what the policy's fallback has for a GET, marked `degraded`.
   * @throws `no_instances`, retryable: nothing at all
   */
  pick(): DiscoveredInstance;
  /** Ends the view: it stays as it is. */
  close(): void;
}

/**
 * Follows the instances of a service. Waits, bounded, for the first answer; a registry that is still away
 * then leaves the view empty, and it fills by itself. Later it goes on with what it saw last.
 * All views of one registry with one token share one watch, which keeps no process alive.
 * @throws `invalid_request`: no name, `registry` names no registry; a registry's permanent refusal, by its code
 */
export async function discover(
  name: string,
  { registry, token, waitMs = 5_000 }: DiscoverOptions = {},
): Promise<Discovery> {
  if (!name) throw invalid('name', 'must be text');
  checkDuration('waitMs', waitMs);
  const shared = share(registryAddresses(registry), token);
  let turn = 0;
  let open = true;
  let listed: readonly DiscoveredInstance[] = [];
  let up = listed; // of `listed`, which is another array once anything changed
  const instances = () => shared.view.instancesOf(name, performance.now());
  const discovery: Discovery = {
    name,
    get instances() {
      return instances();
    },
    get epoch() {
      return shared.view.position()?.epoch;
    },
    get revision() {
      return shared.view.position()?.revision;
    },
    get ageMs() {
      return performance.now() - shared.heardAt;
    },
    pick() {
      const all = instances();
      if (all !== listed) up = all.filter(({ state }) => state === 'up');
      listed = all;
      const picked = up[turn++ % up.length] ?? standIn(shared.view, name, turn, performance.now());
      if (!picked) throw regError('no_instances', `no instance of ${name} is up`);
      return picked;
    },
    close() {
      if (open) shared.leave();
      open = false;
    },
  };
  try {
    await within(shared.first, waitMs);
  } catch (error) {
    discovery.close();
    throw error;
  }
  return discovery;
}

interface Shared {
  readonly key: string;
  readonly token: TokenSource | undefined;
  readonly view: View;
  heardAt: number;
  /** Resolves with the first snapshot. */
  readonly first: Promise<void>;
  users: number;
  leave(): void;
}

/** One watch per registry and token, shared by the whole process. */
const watches = new Set<Shared>();

/** A refusal may end when an operator changes something: asked again, but not soon. */
const refusedPauseMs = 5_000;

function share(addresses: readonly URL[], token: TokenSource | undefined): Shared {
  const bearer = createBearer(token);
  const key = addresses.join();
  const known = [...watches].find((one) => one.key === key && one.token === token);
  if (known) {
    known.users += 1;
    return known;
  }
  const view = createView();
  const { signal, abort } = abortable();
  let ready: () => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const first = new Promise<void>((resolve, reject) => {
    ready = resolve;
    fail = reject;
  });
  first.catch(() => undefined); // who waits hears of it
  const shared: Shared = {
    key,
    token,
    view,
    heardAt: Number.NEGATIVE_INFINITY,
    first,
    users: 1,
    leave() {
      shared.users -= 1;
      if (shared.users > 0) return;
      abort();
      watches.delete(shared);
    },
  };
  watches.add(shared);
  void keepFollowing();
  return shared;

  async function keepFollowing(): Promise<void> {
    const transport = createTransport(addresses, bearer);
    const onContact = () => {
      shared.heardAt = performance.now();
    };
    while (!signal.aborted) {
      try {
        for await (const item of follow(transport, { signal, background: true, onContact })) {
          view.take(item, performance.now());
          ready();
        }
      } catch (error) {
        fail(error);
        await sleep(refusedPauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }
}

function abortable(): { signal: AbortSignal; abort(): void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** The timer is what keeps a script alive that waits for us. */
async function within(promise: Promise<void>, ms: number): Promise<void> {
  const over = new AbortController();
  const limit = sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    await Promise.race([promise, limit]);
  } finally {
    over.abort();
  }
}
