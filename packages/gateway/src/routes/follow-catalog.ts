// Keeps a view of the registry: a snapshot, then its changes, for as long as the gateway lives. A
// registry that is away costs nothing but freshness: the last view goes on serving.
import { type Catalog, isRegError, type Position, type Snapshot } from '@reg/schema';
import type { ConnectionPools } from '../upstreams/connection-pools.ts';
import { type CatalogView, createCatalogView } from './catalog-view.ts';
import type { RouteTable } from './route-table.ts';

export interface FollowOptions {
  readonly catalog: Catalog;
  readonly pools: ConnectionPools;
  readonly now: () => number;
  /** Called with each new table, before the registry hears that it is applied. */
  readonly changed: (table: RouteTable) => void;
  /** What an earlier process knew, to begin with. */
  readonly kept?: Snapshot | undefined;
}

/** Why the view may be old. */
interface Away {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface Follower {
  /** Undefined before the first snapshot. */
  readonly view: CatalogView | undefined;
  /** Undefined: the registry is followed. */
  readonly away: Away | undefined;
  close(): void;
}

const minPauseMs = 100;
const maxPauseMs = 5_000;

/** A watch that has held this long is open, also where nothing changed: a client waits 3 s for its head. */
const settledMs = 4_000;

export function followCatalog({ catalog, pools, now, changed, kept }: FollowOptions): Follower {
  const stop = new AbortController();
  const { signal } = stop;
  let view: CatalogView | undefined;
  let away: Away | undefined = { text: 'no snapshot of the registry yet', since: now() };
  let watchingSince: number | undefined;
  let failures = 0;
  let pruneTimer: NodeJS.Timeout | undefined;
  const report = reporter(catalog);

  if (kept) {
    view = createCatalogView(kept, pools);
    changed(view.table);
    away = { text: 'the view is the one kept on disk', since: now() };
  }
  void follow();

  async function follow(): Promise<void> {
    let whole = true; // a snapshot is needed
    while (!signal.aborted) {
      try {
        if (whole || !view) {
          take(await catalog.snapshot(signal));
          whole = false;
        }
        await watch(view as CatalogView);
      } catch (error) {
        if (signal.aborted) return;
        const since = awayNow()?.since ?? now();
        watchingSince = undefined;
        whole ||= isRegError(error) && error.code === 'compacted';
        const text = `the registry is away: ${error instanceof Error ? error.message : String(error)}`;
        away = { text, since };
      }
      await pause(pauseMs(failures++, Math.random()), signal);
    }
  }

  async function watch(view: CatalogView): Promise<void> {
    watchingSince = now();
    for await (const set of catalog.changes(view.position, signal)) {
      view.apply(set);
      failures = 0;
      away = undefined;
      publish(view);
    }
    throw new Error('the watch ended');
  }

  function take(snapshot: Snapshot): void {
    if (view) view.replace(snapshot, now());
    else view = createCatalogView(snapshot, pools);
    away = undefined;
    publish(view);
    prune();
  }

  function publish(view: CatalogView): void {
    changed(view.table);
    report(view.position);
  }

  function prune(): void {
    clearTimeout(pruneTimer);
    if (!view) return;
    const before = view.table;
    const next = view.prune(now());
    if (view.table !== before) changed(view.table);
    if (next === undefined) return;
    pruneTimer = setTimeout(prune, Math.max(50, next - now()));
    pruneTimer.unref();
  }

  /** What is said of the last break does not hold once a watch is open; what its store says of itself does. */
  function awayNow(): Away | undefined {
    const settled = watchingSince !== undefined && now() - watchingSince > settledMs;
    if (away && !settled) return away;
    const fault = catalog.fault?.();
    return fault && { text: `the store of the registry is away: ${fault.text}`, since: fault.since };
  }

  return {
    get view() {
      return view;
    },
    get away() {
      return awayNow();
    },
    close() {
      stop.abort();
      clearTimeout(pruneTimer);
    },
  };
}

/** 0.1 to 5 s, doubling, with jitter: gateways must not come back all at once. */
export function pauseMs(failures: number, random: number): number {
  const most = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(failures + 1, 16));
  return minPauseMs + random * (most - minPauseMs);
}

/** One report at a time; of those that wait only the latest counts. */
function reporter(catalog: Catalog): (position: Position) => void {
  let reporting = false;
  let next: Position | undefined;
  return (position) => {
    next = position;
    if (!reporting) void reportAll();
  };
  async function reportAll(): Promise<void> {
    reporting = true;
    while (next) {
      const position = next;
      next = undefined;
      await catalog.applied(position);
    }
    reporting = false;
  }
}

function pause(forMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, forMs);
    timer.unref();
    signal.addEventListener('abort', end);
  });
}
