// An instance as the gateway sees it. The record is replaced with each change of the instance; what we
// learned of it (`condition`) stays on it as long as the run is the same.
import type { Endpoint, Instance } from '@reg/schema';
import type { ConnectionPool } from './connection-pool.ts';
import type { ConnectionPools } from './connection-pools.ts';
import type { FailedAttempt } from './may-retry.ts';

/** Learned by trying; shared by all records of one run. */
interface Condition {
  /** A connection failed: others are preferred until then (milliseconds since 1970). */
  avoidUntil: number;
  /** The last attempt that got no answer, to tell of it. */
  lastFailure?: FailedAttempt & { readonly at: number };
}

/** One address that speaks HTTP. */
export interface Target {
  readonly type: 'http' | 'http-get' | 'http-post';
  /** `host` or `host:port`, as the upstream's `Host` says it. */
  readonly host: string;
  /** Replaces the service's public path; without a slash at its end. */
  readonly basePath: string;
  /** Sent where nothing remains of the request's path: as registered, at least `/`. */
  readonly wholePath: string;
  /** Its name in a merged answer. */
  readonly as: string | undefined;
  readonly pool: ConnectionPool;
}

export interface Upstream {
  readonly instance: Instance;
  /** In the order of the registration. A queue (`amqp`) is none. */
  readonly targets: readonly Target[];
  readonly condition: Condition;
  /** What callers are told with every answer, where it is to end: name, value, name, value. */
  readonly notice: readonly string[];
  /** Milliseconds since 1970: only an earlier epoch knew it, and then it goes. Undefined: it is listed. */
  readonly staleUntil: number | undefined;
}

/**
 * @param before what the gateway had under the same instance id
 * @param connectTimeoutMs as its service's policy has it; undefined: as the gateway has it
 */
export function createUpstream(
  instance: Instance,
  before: Upstream | undefined,
  pools: ConnectionPools,
  connectTimeoutMs?: number,
): Upstream {
  const targets = instance.endpoints.flatMap((endpoint) => targetOf(endpoint, pools, connectTimeoutMs) ?? []);
  const sameRun = before?.instance.generation === instance.generation;
  const condition: Condition = before && sameRun ? before.condition : { avoidUntil: 0 };
  return { instance, targets, condition, notice: noticeOf(instance), staleUntil: undefined };
}

/** RFC 9745 has seconds since 1970, RFC 8594 an HTTP-date. */
function noticeOf({ deprecated, registeredAt }: Instance): string[] {
  if (!deprecated) return [];
  const { sunset, since = registeredAt } = deprecated;
  const sinceSeconds = Math.floor(Math.min(since, sunset) / 1_000);
  return ['Deprecation', `@${sinceSeconds}`, 'Sunset', new Date(sunset).toUTCString()];
}

/** Gives its pools back; they close when no other upstream uses them and what is in flight has finished. */
export function releaseUpstream(upstream: Upstream, pools: ConnectionPools): void {
  for (const { pool } of upstream.targets) pools.release(pool);
}

function targetOf(
  { type, url, as }: Endpoint,
  pools: ConnectionPools,
  connectTimeoutMs: number | undefined,
): Target | undefined {
  if (type === 'amqp') return undefined;
  const { origin, host, pathname } = new URL(url);
  const basePath = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
  return { type, host, basePath, wholePath: pathname, as, pool: pools.acquire(origin, connectTimeoutMs) };
}
