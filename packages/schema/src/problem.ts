// One table of problem codes (RFC 9457); docs/errors.md is tested against it both ways. Zod-free.

export const problems = {
  // What the caller sent
  invalid_request: { status: 400, retryable: false },
  invalid_json: { status: 400, retryable: false },
  malformed_request: { status: 400, retryable: false },
  body_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  head_too_large: { status: 431, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },

  // Who asks
  token_missing: { status: 401, retryable: false },
  token_invalid: { status: 401, retryable: false },
  keys_unavailable: { status: 503, retryable: true },
  role_missing: { status: 403, retryable: false },
  not_permitted: { status: 403, retryable: false },
  instance_foreign: { status: 403, retryable: true }, // until its lease ends
  host_refused: { status: 403, retryable: false },
  origin_refused: { status: 403, retryable: false },

  // The registry's rules
  service_not_found: { status: 404, retryable: false },
  instance_not_found: { status: 404, retryable: false },
  generation_superseded: { status: 409, retryable: false },
  registration_conflict: { status: 409, retryable: false },
  path_taken: { status: 409, retryable: false },
  path_reserved: { status: 403, retryable: false },
  slug_taken: { status: 409, retryable: false },
  endpoint_taken: { status: 409, retryable: true },
  compacted: { status: 410, retryable: false },
  not_caught_up: { status: 503, retryable: true },
  limit_reached: { status: 503, retryable: true },
  store_unavailable: { status: 503, retryable: true },

  // The gateway's trip
  route_not_found: { status: 404, retryable: false },
  endpoint_type_unsupported: { status: 501, retryable: false },
  upstream_unreachable: { status: 502, retryable: true },
  upstream_failed: { status: 502, retryable: true },
  upstream_timeout: { status: 504, retryable: true },
  no_instances: { status: 503, retryable: true },
  catalog_unavailable: { status: 503, retryable: true },
  not_ready: { status: 503, retryable: true },

  // The client's side of the wire
  registry_unavailable: { status: 503, retryable: true },

  internal: { status: 500, retryable: false },
} as const;

export type ProblemCode = keyof typeof problems;

/** A field at fault: `endpoints.0.url`, and what is wrong with it. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

/** The body of `application/problem+json` (RFC 9457 §3), with our extension members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly retryable: boolean;
  readonly detail: string;
  /** Names the one request, as the log does: `urn:uuid:…`. */
  readonly instance: string;
  readonly errors?: readonly FieldFault[] | undefined;
}

/** A marker, since two copies of a package may meet in one process. */
const marker = Symbol.for('@reg/error');

export interface RegError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly errors?: readonly FieldFault[] | undefined;
}

export interface RegErrorOptions extends ErrorOptions {
  readonly errors?: readonly FieldFault[] | undefined;
}

/** An error with a code; its status and whether a retry may help come from the one table. */
export function regError(
  code: ProblemCode,
  message: string,
  { errors, ...options }: RegErrorOptions = {},
): RegError {
  const error = Object.assign(new Error(message, options), { code, ...problems[code], [marker]: true });
  error.name = 'RegError';
  return errors ? Object.assign(error, { errors }) : error;
}

export function isRegError(error: unknown): error is RegError {
  return typeof error === 'object' && error !== null && marker in error;
}

/** The one place where an error becomes a reply. What is no RegError may hold secrets: it is not shown. */
export function toProblem(error: unknown, requestId: string): Problem {
  const known = isRegError(error) ? error : regError('internal', 'see the log');
  const { code, status, retryable, message, errors } = known;
  return {
    type: `urn:reg:problem:${code}`,
    title: code.replaceAll('_', ' '),
    status,
    code,
    retryable,
    detail: message,
    instance: `urn:uuid:${requestId}`,
    ...(errors && { errors }),
  };
}
