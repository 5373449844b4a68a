// The operations of the HTTP API: method, path, codes. Zod-free, so that the client weighs nothing.
// `contract.ts` adds bodies and replies; docs/http-api.md is tested against both.
import type { ProblemCode } from './problem.ts';

/** Every operation may answer these (`possibleCodes` says which may not): they come before its own. */
export const commonCodes = [
  'host_refused',
  'origin_refused',
  'token_missing',
  'token_invalid',
  'malformed_request',
  'invalid_request',
  'not_found',
  'method_not_allowed',
  'head_too_large',
  'internal',
] as const satisfies readonly ProblemCode[];

/** Every operation with a body may answer these too. */
export const bodyCodes = [
  'invalid_json',
  'body_too_large',
  'unsupported_media_type',
] as const satisfies readonly ProblemCode[];

export interface Operation {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `{name}` is one percent-encoded segment. */
  readonly path: string;
  /** What it may answer beside `commonCodes` (and `bodyCodes`, where it has a body). */
  readonly codes: readonly ProblemCode[];
}

export const operations = {
  register: {
    method: 'PUT',
    path: '/v1/services/{service}/instances/{id}',
    codes: [
      'not_permitted',
      'instance_foreign',
      'generation_superseded',
      'registration_conflict',
      'path_taken',
      'path_reserved',
      'slug_taken',
      'endpoint_taken',
      'limit_reached',
      'store_unavailable',
    ],
  },
  renew: {
    method: 'PUT',
    path: '/v1/services/{service}/instances/{id}/lease',
    codes: [
      'not_permitted',
      'instance_foreign',
      'instance_not_found',
      'generation_superseded',
      'store_unavailable',
    ],
  },
  renewMany: { method: 'POST', path: '/v1/leases', codes: ['store_unavailable'] },
  drain: {
    method: 'PUT',
    path: '/v1/services/{service}/instances/{id}/drain',
    codes: [
      'not_permitted',
      'instance_foreign',
      'instance_not_found',
      'generation_superseded',
      'store_unavailable',
    ],
  },
  unregister: {
    method: 'DELETE',
    path: '/v1/services/{service}/instances/{id}',
    codes: [
      'not_permitted',
      'instance_foreign',
      'instance_not_found',
      'generation_superseded',
      'store_unavailable',
    ],
  },
  movePath: {
    method: 'POST',
    path: '/v1/paths/move',
    codes: [
      'not_permitted',
      'service_not_found',
      'path_taken',
      'path_reserved',
      'registration_conflict',
      'store_unavailable',
    ],
  },
  setPolicy: {
    method: 'PUT',
    path: '/v1/services/{service}/policy',
    codes: ['not_permitted', 'service_not_found', 'store_unavailable'],
  },
  scale: {
    method: 'PUT',
    path: '/v1/services/{service}/scale',
    codes: ['not_permitted', 'service_not_found', 'store_unavailable'],
  },
  listServices: {
    method: 'GET',
    path: '/v1/services',
    codes: ['compacted', 'not_caught_up', 'limit_reached'],
  },
  getService: {
    method: 'GET',
    path: '/v1/services/{service}',
    codes: ['service_not_found', 'compacted', 'not_caught_up', 'limit_reached'],
  },
  snapshot: { method: 'GET', path: '/v1/snapshot', codes: ['compacted', 'not_caught_up', 'limit_reached'] },
  changes: { method: 'GET', path: '/v1/changes', codes: ['compacted', 'limit_reached'] },
  reportApplied: { method: 'PUT', path: '/v1/gateways/{id}', codes: ['limit_reached'] },
  health: { method: 'GET', path: '/v1/health', codes: ['not_ready'] },
  explain: { method: 'GET', path: '/v1/explain', codes: [] },
  openapi: { method: 'GET', path: '/v1/openapi.json', codes: [] },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

/** All that an operation may answer; a read comes from any origin, and health is asked by load balancers. */
export function possibleCodes(name: OperationName, hasBody: boolean): ProblemCode[] {
  const { codes, method }: Operation = operations[name];
  const all: ProblemCode[] = [...commonCodes, ...(hasBody ? bodyCodes : []), ...codes];
  return all.filter((code) => {
    if (code === 'origin_refused') return method !== 'GET';
    return code !== 'token_missing' || name !== 'health';
  });
}

/**
 * An operation's path with its parameters put in, percent-encoded, and a query of what is defined.
 * @throws TypeError where a parameter of the path is missing
 */
export function operationPath(
  name: OperationName,
  parameters: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string {
  const path = operations[name].path.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = parameters[key];
    if (value === undefined) throw new TypeError(`${name} needs the parameter ${key}`);
    return encodeURIComponent(value);
  });
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}
