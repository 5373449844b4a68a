// Every code that the contract declares is provoked, for every operation, on a real socket; and a refused
// request changes nothing. The last tests fail when a code is declared and no case provokes it.
import {
  type GatewayReasons,
  type OperationName,
  operations,
  type ProblemCode,
  possibleCodes,
  problems,
  summarize,
} from '@reg/schema';
import { expect, test } from 'vitest';
import { credentials, signed } from '../../../../tests/support/registry-token.ts';
import { type Clock, createSystemClock } from '../clock.ts';
import type { Registry } from '../registry.ts';
import {
  type Reply,
  type Request,
  registrationOf,
  startApi,
  type TestApi,
  type TestApiOptions,
} from './test-api.ts';

interface Case {
  readonly operation: OperationName;
  readonly code: ProblemCode;
  readonly options?: TestApiOptions;
  readonly prepare?: (api: TestApi) => Promise<unknown>;
  readonly request: Request | ((api: TestApi) => Request);
  /** The field that the problem names. */
  readonly field?: string;
}

const tickets = '/v1/services/tickets/instances/one';

/** A request of each operation with nothing wrong about it, once `tickets` is registered. */
const plain: Record<OperationName, Request> = {
  register: { method: 'PUT', path: tickets, body: registrationOf() },
  renew: { method: 'PUT', path: `${tickets}/lease`, body: { generation: 1 } },
  renewMany: {
    method: 'POST',
    path: '/v1/leases',
    body: { renewals: [{ service: 'tickets', id: 'one', generation: 1 }] },
  },
  drain: { method: 'PUT', path: `${tickets}/drain?force=true` },
  unregister: { method: 'DELETE', path: `${tickets}?force=true` },
  movePath: {
    method: 'POST',
    path: '/v1/paths/move',
    body: { path: '/tickets', from: 'tickets', to: 'next' },
  },
  history: { path: '/v1/history' },
  addNotes: {
    method: 'POST',
    path: '/v1/history',
    body: { notes: [{ service: 'tickets', event: 'check-failing', text: 'refused' }] },
  },
  reportLoad: { method: 'POST', path: '/v1/services/tickets/load', body: { level: 'high' } },
  setPolicy: { method: 'PUT', path: '/v1/services/tickets/policy', body: { timeouts: { connectMs: 100 } } },
  scale: { method: 'PUT', path: '/v1/services/tickets/scale', body: { instances: 3 } },
  listServices: { path: '/v1/services' },
  getService: { path: '/v1/services/tickets' },
  snapshot: { path: '/v1/snapshot' },
  changes: { path: '/v1/changes' },
  reportApplied: { method: 'PUT', path: '/v1/gateways/one', body: { epoch: 'e', revision: 1 } },
  health: { path: '/v1/health' },
  explain: { path: '/v1/explain?target=/tickets' },
  openapi: { path: '/v1/openapi.json' },
};
const names = Object.keys(plain) as OperationName[];

const pathOf = ({ path }: Request): string => path.replace(/\?.*$/, '');
const withQuery = (request: Request, pair: string): Request => ({
  ...request,
  path: `${request.path}${request.path.includes('?') ? '&' : '?'}${pair}`,
});
const withHeaders = (request: Request, headers: Record<string, string>): Request => ({ ...request, headers });
const hasBody = (name: OperationName): boolean => 'body' in plain[name];
const isRead = (name: OperationName): boolean => operations[name].method === 'GET';

/** A fault of ours, put in where no request can provoke one. */
const faulty = (registry: Registry): Registry =>
  new Proxy(registry, {
    get: () => () => {
      throw new Error('secret: hunter2');
    },
  });

const guarded: TestApiOptions = { credentials };
const asked = (request: Request, token: string): Request => ({
  ...request,
  headers: { Authorization: `Bearer ${token}` },
});
const fault = () => {
  throw new Error('secret: hunter2');
};
const faultyGateway: GatewayReasons = { health: fault, explain: fault };

/** It has heard of no registry yet. */
const gatewayAtStart: GatewayReasons = {
  ...faultyGateway,
  health: () => ({
    ...summarize([{ code: 'no_catalog', text: 'no snapshot of the registry yet' }], []),
    stale: false,
    routes: 0,
  }),
};

const common: Case[] = names.flatMap((operation) => {
  const request = plain[operation];
  const options = operation === 'explain' ? { gateway: faultyGateway } : { between: faulty };
  const internal: Case = { operation, code: 'internal', request, options };
  const all: Case[] = [
    {
      operation,
      code: 'host_refused',
      request: withHeaders(request, { Host: 'evil.example' }),
      field: 'Host',
    },
    { operation, code: 'token_invalid', options: guarded, request: asked(request, 'nonsense') },
    { operation, code: 'malformed_request', request: withQuery(request, 'a=%zz') },
    { operation, code: 'invalid_request', request: withQuery(request, 'nope=1'), field: 'nope' },
    { operation, code: 'not_found', request: { ...request, path: `${pathOf(request)}/` } },
    { operation, code: 'method_not_allowed', request: { ...request, method: 'PATCH' } },
    { operation, code: 'head_too_large', request: withHeaders(request, { 'X-Long': 'a'.repeat(17_000) }) },
    ...(operation === 'openapi' ? [] : [internal]),
    ...(operation === 'health'
      ? []
      : [{ operation, code: 'token_missing', options: guarded, request } as const]),
  ];
  const origin = withHeaders(request, { Origin: 'http://evil.example' });
  return isRead(operation)
    ? all
    : [...all, { operation, code: 'origin_refused', request: origin, field: 'Origin' }];
});

const bodies: Case[] = names.filter(hasBody).flatMap((operation): Case[] => {
  const request = plain[operation];
  const text = withHeaders(request, { 'Content-Type': 'text/plain' });
  return [
    { operation, code: 'invalid_json', request: { ...request, body: '{' } },
    { operation, code: 'body_too_large', request: { ...request, body: ' '.repeat(1_100_000) } },
    { operation, code: 'unsupported_media_type', request: text, field: 'Content-Type' },
  ];
});

const register =
  (body: unknown, path = tickets) =>
  (api: TestApi) =>
    done(api, { method: 'PUT', path, body });
const ticketsThere = register(registrationOf({ runId: 'run-1' }));
const closeStore = async (api: TestApi) => {
  await ticketsThere(api);
  await api.store.close();
};

async function done(api: TestApi, request: Request): Promise<Reply> {
  const reply = await api.send(request);
  expect(reply.status, reply.text).toBeLessThan(300);
  return reply;
}

/** A renewal by the run that holds the lease. */
function heldLease({ registry }: TestApi): Request {
  const generation = registry.getService('tickets').instances[0]?.generation;
  return { ...plain.renew, body: { generation } };
}

/** The first run of `tickets` is pushed out by a second. */
async function takenOver(api: TestApi): Promise<void> {
  await ticketsThere(api);
  await done(api, { method: 'PUT', path: tickets, body: registrationOf({ runId: 'run-2' }) });
}

async function threeServices(api: TestApi): Promise<void> {
  await ticketsThere(api);
  for (const [index, url] of ['/next', '/'].entries()) {
    const path = `/v1/services/${url === '/' ? 'web' : 'next'}/instances/one`;
    await register(registrationOf({ url, port: 4000 + index }), path)(api);
  }
}

const settings: Case[] = (['setPolicy', 'scale'] as const).flatMap((operation) => [
  { operation, code: 'service_not_found', request: plain[operation] },
  {
    operation,
    code: 'store_unavailable',
    prepare: async (api) => {
      await ticketsThere(api);
      await api.store.close();
    },
    request: plain[operation],
  },
]);

const movePath = { operation: 'movePath', options: { grants: [{ path: '/', service: 'web' }] } } as const;
const move = (path: string, from: string, to: string): Request => ({
  ...plain.movePath,
  body: { path, from, to },
});

/** Its every delay is over at once. */
const hurried: Clock = {
  ...createSystemClock(),
  after: (_, run) => createSystemClock().after(0, run),
};

/** Ahead of any history. */
const farAhead = ({ registry }: TestApi): string => `${registry.position().epoch}.${Number.MAX_SAFE_INTEGER}`;

/** They end when the registry is closed. */
async function manyReads({ registry }: TestApi): Promise<void> {
  const after = registry.position();
  for (let index = 0; index < 1_000; index++)
    void registry.newerThan(after, 60_000, new AbortController().signal);
}

const waitingReads: Case[] = (['listServices', 'getService', 'snapshot'] as const).flatMap((operation) => {
  const request = (api: TestApi) => withQuery(plain[operation], `seen=${farAhead(api)}`);
  return [
    { operation, code: 'compacted', request: withQuery(plain[operation], 'seen=otherepoch.1') },
    { operation, code: 'not_caught_up', options: { clock: hurried }, request },
    { operation, code: 'limit_reached', prepare: manyReads, request },
  ];
});

async function manyGateways(api: TestApi): Promise<void> {
  for (let index = 0; index < 1_000; index++)
    api.registry.reportApplied(`g-${index}`, { epoch: 'e', revision: 1 });
}

/** So nothing is allowed anew meanwhile. */
const standing: Clock = { ...createSystemClock(), now: () => 1_800_000_000_000 };

/** All that is allowed at once. */
async function manyNotes({ registry }: TestApi): Promise<void> {
  const notes = Array.from({ length: 100 }, () => ({ service: 'tickets', event: 'e', text: 't' }));
  for (let count = 0; count < 20; count++) await registry.addNotes(notes);
}

async function manySayers(api: TestApi): Promise<void> {
  await ticketsThere(api);
  for (let index = 0; index < 1_000; index++)
    api.registry.reportLoad('tickets', { level: 'high', instanceId: `i-${index}` });
}

const rules: Case[] = [
  {
    operation: 'register',
    code: 'generation_superseded',
    prepare: takenOver,
    request: { ...plain.register, body: registrationOf({ runId: 'run-1' }) },
  },
  {
    operation: 'register',
    code: 'registration_conflict',
    prepare: ticketsThere,
    request: {
      method: 'PUT',
      path: '/v1/services/tickets/instances/two',
      body: registrationOf({ port: 3002, authorizedRoles: ['other'] }),
    },
    field: 'authorizedRoles',
  },
  {
    operation: 'register',
    code: 'path_taken',
    prepare: ticketsThere,
    request: {
      method: 'PUT',
      path: '/v1/services/other/instances/one',
      body: registrationOf({ port: 3002 }),
    },
  },
  {
    operation: 'register',
    code: 'path_reserved',
    request: { ...plain.register, body: registrationOf({ url: '/' }) },
    field: 'url',
  },
  {
    operation: 'register',
    code: 'slug_taken',
    prepare: ticketsThere,
    request: {
      method: 'PUT',
      path: '/v1/services/Tickets!/instances/one',
      body: registrationOf({ url: '/other', port: 3002 }),
    },
  },
  {
    operation: 'register',
    code: 'endpoint_taken',
    prepare: ticketsThere,
    request: { method: 'PUT', path: '/v1/services/tickets/instances/two', body: registrationOf() },
  },
  {
    operation: 'register',
    code: 'limit_reached',
    options: { maxInstances: 1 },
    prepare: ticketsThere,
    request: {
      method: 'PUT',
      path: '/v1/services/tickets/instances/two',
      body: registrationOf({ port: 3002 }),
    },
  },
  {
    operation: 'register',
    code: 'store_unavailable',
    prepare: closeStore,
    request: { ...plain.register, body: registrationOf({ runId: 'run-3' }) },
  },
  { operation: 'renew', code: 'instance_not_found', request: plain.renew },
  { operation: 'renew', code: 'generation_superseded', prepare: ticketsThere, request: plain.renew },
  { operation: 'renew', code: 'store_unavailable', prepare: closeStore, request: heldLease },
  { operation: 'renewMany', code: 'store_unavailable', prepare: closeStore, request: plain.renewMany },
  { operation: 'drain', code: 'instance_not_found', request: plain.drain },
  {
    operation: 'drain',
    code: 'generation_superseded',
    prepare: takenOver,
    request: { method: 'PUT', path: `${tickets}/drain?runId=run-1` },
  },
  { operation: 'drain', code: 'store_unavailable', prepare: closeStore, request: plain.drain },
  { operation: 'unregister', code: 'instance_not_found', request: plain.unregister },
  {
    operation: 'unregister',
    code: 'generation_superseded',
    prepare: takenOver,
    request: { method: 'DELETE', path: `${tickets}?runId=run-1` },
  },
  { operation: 'unregister', code: 'store_unavailable', prepare: closeStore, request: plain.unregister },
  {
    ...movePath,
    code: 'service_not_found',
    prepare: ticketsThere,
    request: move('/tickets', 'tickets', 'next'),
  },
  {
    ...movePath,
    code: 'path_taken',
    prepare: threeServices,
    request: move('/tickets', 'web', 'next'),
    field: 'from',
  },
  { ...movePath, code: 'path_reserved', prepare: threeServices, request: move('/', 'web', 'next') },
  {
    ...movePath,
    code: 'registration_conflict',
    prepare: threeServices,
    request: move('/nobody', 'tickets', 'next'),
    field: 'path',
  },
  {
    ...movePath,
    code: 'store_unavailable',
    prepare: async (api) => {
      await threeServices(api);
      await api.store.close();
    },
    request: move('/tickets', 'tickets', 'next'),
  },
  { operation: 'history', code: 'compacted', request: { path: '/v1/history?after=otherepoch.1' } },
  {
    operation: 'addNotes',
    code: 'limit_reached',
    options: { clock: standing },
    prepare: manyNotes,
    request: plain.addNotes,
  },
  { operation: 'addNotes', code: 'store_unavailable', prepare: closeStore, request: plain.addNotes },
  { operation: 'reportLoad', code: 'service_not_found', request: plain.reportLoad },
  {
    operation: 'reportLoad',
    code: 'limit_reached',
    prepare: manySayers,
    request: { ...plain.reportLoad, body: { level: 'high', instanceId: 'late' } },
  },
  ...settings,
  {
    operation: 'health',
    code: 'not_ready',
    options: { gateway: gatewayAtStart },
    request: { path: '/v1/health?check=ready' },
  },
  { operation: 'getService', code: 'service_not_found', request: plain.getService },
  { operation: 'changes', code: 'compacted', request: { path: '/v1/changes?after=otherepoch.1' } },
  {
    operation: 'changes',
    code: 'limit_reached',
    prepare: manyGateways,
    request: { path: '/v1/changes?gateway=late' },
  },
  {
    operation: 'reportApplied',
    code: 'limit_reached',
    prepare: manyGateways,
    request: { ...plain.reportApplied, path: '/v1/gateways/late' },
  },
];

/** What a token may not do: its service is another, or another token registered the instance. */
const ofInstances = ['register', 'renew', 'drain', 'unregister'] as const;
const ofServices = ['movePath', 'setPolicy', 'scale'] as const;
const permissions: Case[] = [...ofInstances, ...ofServices].flatMap((operation): Case[] => {
  const namesRun = operation === 'drain' || operation === 'unregister';
  const request = namesRun
    ? { ...plain[operation], path: `${pathOf(plain[operation])}?runId=r` }
    : plain[operation];
  const others: Case = {
    operation,
    code: 'not_permitted',
    options: guarded,
    request: asked(request, signed({ services: ['others'] })),
  };
  const foreign: Case = {
    operation,
    code: 'instance_foreign',
    options: guarded,
    prepare: ({ registry }) => registry.register({ service: 'tickets', id: 'one' }, registrationOf()),
    request: asked(request, signed({ services: ['tickets'] })),
  };
  return ofServices.some((name) => name === operation) ? [others] : [others, foreign];
});

const others: Case[] = (['addNotes', 'reportLoad'] as const).map((operation) => ({
  operation,
  code: 'not_permitted',
  options: guarded,
  request: asked(plain[operation], signed({ services: ['others'] })),
}));

const cases: readonly Case[] = [...common, ...bodies, ...waitingReads, ...rules, ...permissions, ...others];

test.each(cases)(
  '$operation answers $code and changes nothing',
  async ({ code, options, prepare, request, field }) => {
    await using api = await startApi(options);
    await prepare?.(api);
    const before = api.registry.snapshot();

    const reply = await api.send(typeof request === 'function' ? request(api) : request);

    expect(reply.headers['content-type'], reply.text).toBe('application/problem+json');
    expect(reply.problem).toMatchObject({ code, ...problems[code], type: `urn:reg:problem:${code}` });
    expect(reply.status).toBe(problems[code].status);
    expect(reply.problem.instance).toBe(`urn:uuid:${reply.headers['x-request-id']}`);
    if (field) expect(reply.problem.errors?.map((one) => one.field)).toContain(field);
    expect(reply.text).not.toContain('hunter2');
    expect(api.registry.snapshot()).toEqual(before);
  },
);

const declared = names.flatMap((operation) =>
  possibleCodes(operation, hasBody(operation))
    .filter((code) => code !== 'internal' || operation !== 'openapi') // it asks nothing that could fail
    .map((code) => `${operation} ${code}`),
);

test('no code is declared that no case provokes, and none is provoked that is not declared', () => {
  expect([...new Set(cases.map(({ operation, code }) => `${operation} ${code}`))].sort()).toEqual(
    declared.sort(),
  );
});
