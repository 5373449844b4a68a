// How each operation of the HTTP API is called: method and path, and nothing else, since the client carries it.
// `operations.ts` adds what may be answered.

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `{name}` is one percent-encoded segment. */
  readonly path: string;
}

export const calls = {
  register: { method: 'PUT', path: '/v1/services/{service}/instances/{id}' },
  renew: { method: 'PUT', path: '/v1/services/{service}/instances/{id}/lease' },
  renewMany: { method: 'POST', path: '/v1/leases' },
  drain: { method: 'PUT', path: '/v1/services/{service}/instances/{id}/drain' },
  unregister: { method: 'DELETE', path: '/v1/services/{service}/instances/{id}' },
  movePath: { method: 'POST', path: '/v1/paths/move' },
  setPolicy: { method: 'PUT', path: '/v1/services/{service}/policy' },
  scale: { method: 'PUT', path: '/v1/services/{service}/scale' },
  history: { method: 'GET', path: '/v1/history' },
  addNotes: { method: 'POST', path: '/v1/history' },
  reportLoad: { method: 'POST', path: '/v1/services/{service}/load' },
  listServices: { method: 'GET', path: '/v1/services' },
  getService: { method: 'GET', path: '/v1/services/{service}' },
  snapshot: { method: 'GET', path: '/v1/snapshot' },
  changes: { method: 'GET', path: '/v1/changes' },
  reportApplied: { method: 'PUT', path: '/v1/gateways/{id}' },
  health: { method: 'GET', path: '/v1/health' },
  explain: { method: 'GET', path: '/v1/explain' },
  openapi: { method: 'GET', path: '/v1/openapi.json' },
} as const satisfies Record<string, Call>;

export type OperationName = keyof typeof calls;

/**
 * An operation's path with its parameters put in, percent-encoded, and a query of what is defined.
 * @throws TypeError where a parameter of the path is missing
 */
export function operationPath(
  name: OperationName,
  parameters: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string {
  const path = calls[name].path.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = parameters[key];
    if (value === undefined) throw new TypeError(`${name} needs the parameter ${key}`);
    return encodeURIComponent(value);
  });
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}
