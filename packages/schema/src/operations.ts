// The operations of the HTTP API: to method and path (`calls.ts`) the codes that each may answer. Zod-free.
// `contract.ts` adds bodies and replies; docs/http-api.md is tested against both.
import { type Call, calls, type OperationName } from './calls.ts';
import type { ProblemCode } from './problem.ts';

export { type OperationName, operationPath } from './calls.ts';

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

export interface Operation extends Call {
  /** What it may answer beside `commonCodes` (and `bodyCodes`, where it has a body). */
  readonly codes: readonly ProblemCode[];
}

export const operations = {
  register: {
    ...calls.register,
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
    ...calls.renew,
    codes: [
      'not_permitted',
      'instance_foreign',
      'instance_not_found',
      'generation_superseded',
      'store_unavailable',
    ],
  },
  renewMany: { ...calls.renewMany, codes: ['store_unavailable'] },
  drain: {
    ...calls.drain,
    codes: [
      'not_permitted',
      'instance_foreign',
      'instance_not_found',
      'generation_superseded',
      'store_unavailable',
    ],
  },
  unregister: {
    ...calls.unregister,
    codes: [
      'not_permitted',
      'instance_foreign',
      'instance_not_found',
      'generation_superseded',
      'store_unavailable',
    ],
  },
  movePath: {
    ...calls.movePath,
    codes: [
      'not_permitted',
      'service_not_found',
      'path_taken',
      'path_reserved',
      'registration_conflict',
      'store_unavailable',
    ],
  },
  setPolicy: { ...calls.setPolicy, codes: ['not_permitted', 'service_not_found', 'store_unavailable'] },
  scale: { ...calls.scale, codes: ['not_permitted', 'service_not_found', 'store_unavailable'] },
  history: { ...calls.history, codes: ['compacted'] },
  addNotes: { ...calls.addNotes, codes: ['not_permitted', 'limit_reached', 'store_unavailable'] },
  reportLoad: { ...calls.reportLoad, codes: ['not_permitted', 'service_not_found', 'limit_reached'] },
  listServices: { ...calls.listServices, codes: ['compacted', 'not_caught_up', 'limit_reached'] },
  getService: {
    ...calls.getService,
    codes: ['service_not_found', 'compacted', 'not_caught_up', 'limit_reached'],
  },
  snapshot: { ...calls.snapshot, codes: ['compacted', 'not_caught_up', 'limit_reached'] },
  changes: { ...calls.changes, codes: ['compacted', 'limit_reached'] },
  reportApplied: { ...calls.reportApplied, codes: ['limit_reached'] },
  health: { ...calls.health, codes: ['not_ready'] },
  explain: { ...calls.explain, codes: [] },
  openapi: { ...calls.openapi, codes: [] },
} as const satisfies Record<OperationName, Operation>;

/** All that an operation may answer; a read comes from any origin, and health is asked by load balancers. */
export function possibleCodes(name: OperationName, hasBody: boolean): ProblemCode[] {
  const { codes, method }: Operation = operations[name];
  const all: ProblemCode[] = [...commonCodes, ...(hasBody ? bodyCodes : []), ...codes];
  return all.filter((code) => {
    if (code === 'origin_refused') return method !== 'GET';
    return code !== 'token_missing' || name !== 'health';
  });
}
