// What matches a request: a service's public path, who may call it, and where it goes, by method.
import { isDeepStrictEqual } from 'node:util';
import type { ServiceDefinition } from '@reg/schema';
import type { Target, Upstream } from '../upstreams/upstream.ts';

/** One upstream, at the first of its endpoints that fits the method. Of a merged one, all are asked. */
export interface Choice {
  readonly upstream: Upstream;
  readonly target: Target;
}

/** Which methods an endpoint takes depends on its type: `http-get`, `http-post`, `http`. */
type MethodClass = 'read' | 'post' | 'other';

/** An instance that is gone, for who asks why it gets nothing. */
export interface Departed {
  readonly instanceId: string;
  /** `unconfirmed`: only an earlier epoch knew it, and its period is over. */
  readonly how: 'unregistered' | 'expired' | 'unconfirmed';
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly reason: string | undefined;
}

/** Immutable but for `rotation`, which outlives it. */
export interface Route {
  readonly definition: ServiceDefinition;
  /** Every instance, draining ones too. */
  readonly upstreams: readonly Upstream[];
  /** Those that get new requests. */
  readonly choices: Readonly<Record<MethodClass, readonly Choice[]>>;
  /** Which methods any instance takes, draining ones too: a drain must not turn 503 into 405. */
  readonly takes: Readonly<Record<MethodClass, boolean>>;
  /** Where round robin stands; the next table goes on from here. */
  readonly rotation: { next: number };
  /** The last few that are gone, the latest first. */
  readonly departed: readonly Departed[];
}

const fitting: Readonly<Record<MethodClass, ReadonlySet<string>>> = {
  read: new Set(['http', 'http-get']),
  post: new Set(['http', 'http-post']),
  other: new Set(['http']),
};

export function methodClass(method: string): MethodClass {
  if (method === 'GET' || method === 'HEAD') return 'read';
  return method === 'POST' ? 'post' : 'other';
}

export function compileRoute(
  definition: ServiceDefinition,
  upstreams: readonly Upstream[],
  rotation: { next: number },
  departed: readonly Departed[] = [],
): Route {
  const living = upstreams.filter(({ instance }) => instance.state === 'up');
  const takes = (method: MethodClass) => upstreams.some((one) => targetFor(one, method) !== undefined);
  const choices = (method: MethodClass) => living.flatMap((one) => choiceOf(one, method) ?? []);
  return {
    definition,
    upstreams,
    choices: { read: choices('read'), post: choices('post'), other: choices('other') },
    takes: { read: takes('read'), post: takes('post'), other: takes('other') },
    rotation,
    departed,
  };
}

/**
 * What stands in a later table for `route`: the same service, shown at the same path to the same callers,
 * so that what was granted holds. Undefined: nothing does, or it is the same.
 */
export function laterRoute(route: Route, later: Route | undefined): Route | undefined {
  if (later === undefined || later === route) return undefined;
  return isDeepStrictEqual(grantedFor(later), grantedFor(route)) ? later : undefined;
}

function grantedFor({ definition: { name, url, authorizedRoles, access } }: Route) {
  return { name, url, authorizedRoles, access };
}

function targetFor({ instance, targets }: Upstream, method: MethodClass): Target | undefined {
  if (instance.merge) return method === 'other' ? undefined : targets[0]; // stands for all: each has its method
  return targets.find(({ type }) => fitting[method].has(type));
}

function choiceOf(upstream: Upstream, method: MethodClass): Choice | undefined {
  const target = targetFor(upstream, method);
  return target && { upstream, target };
}
