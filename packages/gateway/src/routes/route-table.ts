// Public path → route, longest prefix at segment boundaries. Immutable: a change makes a new table that
// shares all but the shards it touched, so neither a lookup nor a change depends on how many services
// there are. Why hashed shards: copying one map of 100,000 paths costs 5 ms, one of 100 some µs.
import type { Route } from './route.ts';

const shardCount = 1024;

/** Deepest path that is looked at: a public path has at most 512 characters, so 256 segments. */
const maxDepth = 256;

// Of the lookup that runs: it never waits, so one scratch pad serves all.
const ends = new Int32Array(maxDepth);
const hashes = new Int32Array(maxDepth);

type Shard = ReadonlyMap<string, Route>;

export interface RouteTable {
  readonly size: number;
  /** @param path of the request, without its query, as it was sent */
  find(path: string): Route | undefined;
  /** The route at exactly this public path. */
  at(path: string): Route | undefined;
  /** All of them, in no order: as long as there are services, so never for a request. */
  routes(): Iterable<Route>;
  /** A new table with these paths set or, where undefined, gone. */
  with(edits: ReadonlyMap<string, Route | undefined>): RouteTable;
}

interface Parts {
  readonly shards: readonly (Shard | undefined)[];
  /** How many paths there are of each number of segments: deeper ones need not be looked for. */
  readonly depths: readonly number[];
  readonly size: number;
}

export const emptyRouteTable: RouteTable = tableOf({ shards: [], depths: [], size: 0 });

function tableOf(parts: Parts): RouteTable {
  const { shards, depths, size } = parts;
  const at = (path: string) => shards[shardOf(path)]?.get(path);
  const root = at('/');
  return {
    size,
    at,
    *routes() {
      for (const shard of shards) yield* shard?.values() ?? [];
    },
    find: (path) => findLongest(parts, path) ?? root,
    with: (edits) => tableOf(edited(shards, depths, size, edits)),
  };
}

/** One pass over the characters finds each boundary and the hash up to it; then the longest first. */
function findLongest({ shards, depths }: Parts, path: string): Route | undefined {
  let depth = 0;
  let hash = 0;
  for (let at = 0; at <= path.length && depth < depths.length; at++) {
    const code = path.charCodeAt(at); // NaN behind the end
    if (at > 0 && (code === 0x2f || at === path.length)) {
      ends[depth] = at;
      hashes[depth] = hash;
      depth++;
    }
    hash = (Math.imul(hash, 31) + code) | 0;
  }
  while (depth-- > 0) {
    const shard = shards[(hashes[depth] ?? 0) & (shardCount - 1)];
    const route = shard?.get(path.slice(0, ends[depth]));
    if (route) return route;
  }
  return undefined;
}

function edited(
  oldShards: readonly (Shard | undefined)[],
  oldDepths: readonly number[],
  oldSize: number,
  edits: ReadonlyMap<string, Route | undefined>,
): Parts {
  const shards = oldShards.slice();
  const depths = oldDepths.slice();
  const fresh = new Map<number, Map<string, Route>>();
  let size = oldSize;
  for (const [path, route] of edits) {
    const index = shardOf(path);
    let shard = fresh.get(index);
    if (!shard) {
      shard = new Map(shards[index]);
      fresh.set(index, shard);
      shards[index] = shard;
    }
    const step = Number(route !== undefined) - Number(shard.has(path));
    const level = depthOf(path) - 1;
    size += step;
    while (depths.length <= level) depths.push(0);
    depths[level] = (depths[level] ?? 0) + step;
    if (route) shard.set(path, route);
    else shard.delete(path);
  }
  while (depths.length > 0 && depths[depths.length - 1] === 0) depths.pop();
  return { shards, depths, size };
}

function shardOf(path: string): number {
  let hash = 0;
  for (let at = 0; at < path.length; at++) hash = (Math.imul(hash, 31) + path.charCodeAt(at)) | 0;
  return hash & (shardCount - 1);
}

function depthOf(path: string): number {
  let depth = 0;
  for (let at = 0; at < path.length; at++) if (path.charCodeAt(at) === 0x2f) depth++;
  return depth;
}
