// Who may call: tokens over a real socket, good ones, narrower ones, and forged ones.
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import jwt from 'jsonwebtoken';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import {
  credentials,
  inAnHour,
  operatorToken,
  signed,
  signedText,
} from '../../../../tests/support/registry-token.ts';
import { createCredentials } from './credentials.ts';
import { type Reply, type Request, registrationOf, startApi, type TestApi } from './test-api.ts';

const tickets = '/v1/services/tickets/instances/one';
const registerOne: Request = { method: 'PUT', path: tickets, body: registrationOf({ runId: 'r1' }) };
const list: Request = { path: '/v1/services' };

function send(api: TestApi, request: Request, token?: string): Promise<Reply> {
  return api.send({ ...request, ...(token && { headers: { Authorization: `Bearer ${token}` } }) });
}

/** The code of the problem, or the status where there is none. */
async function answer(api: TestApi, request: Request, token?: string): Promise<string | number> {
  const { problem, status } = await send(api, request, token);
  return status >= 400 ? problem.code : status;
}

const generationOf = ({ registry }: TestApi) => registry.getService('tickets').instances[0]?.generation;
const renewOne = (api: TestApi): Request => ({
  method: 'PUT',
  path: `${tickets}/lease`,
  body: { generation: generationOf(api) },
});

test('without a token everything but health is 401 with a challenge, and health says little', async () => {
  await using api = await startApi({ credentials });
  for (const request of [list, registerOne, { path: '/v1/openapi.json' }]) {
    const { headers, problem } = await api.send(request);
    expect(problem).toMatchObject({ code: 'token_missing', status: 401, retryable: false });
    expect(headers['www-authenticate']).toBe('Bearer realm="reg-registry"');
  }
  expect((await api.send({ path: '/v1/health' })).json).toEqual({
    status: 'ok',
    live: { ok: true },
    ready: { ok: true },
  });
  const known = await send(api, { path: '/v1/health' }, signed());
  expect(known.json).toMatchObject({ status: 'ok', instances: 0, gateways: [] });
  const { headers } = await send(api, list, 'nonsense');
  expect(headers['www-authenticate']).toBe('Bearer realm="reg-registry", error="invalid_token"');
});

test('a body is not read for somebody who is not known', async () => {
  await using api = await startApi({ credentials });
  const head = `PUT ${tickets} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
  const reply = await api.raw(`${head}Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n`);
  expect(reply).toMatch(/^HTTP\/1\.1 401 /); // and no 100 before it
});

test.each([
  ['as it is', operatorToken, operatorToken],
  ['letters beyond ASCII', 'ein Schlüssel, länger als 32 Bytes', 'ein Schlüssel, länger als 32 Bytes'],
  ['base64', Buffer.alloc(32, 7), `base64:${Buffer.alloc(32, 7).toString('base64')}`],
])("the operator's token may do everything: %s", async (_, secret, sent) => {
  const token = createSecretKey(Buffer.from(secret));
  await using api = await startApi({ credentials: { token }, grants: [{ path: '/', service: 'tickets' }] });
  const bearer = Buffer.from(sent, 'utf8').toString('latin1'); // a header is bytes
  const root = { ...registerOne, body: registrationOf({ url: '/' }) };
  const force = { method: 'DELETE', path: `${tickets}?force=true` };
  for (const request of [list, root, force])
    expect((await send(api, request, bearer)).status).toBeLessThan(300);
});

test.each([
  ['a scheme in small letters', `bearer ${operatorToken}`, 200],
  ['several spaces', `Bearer   ${operatorToken}`, 200],
  ['another scheme', `Basic ${operatorToken}`, 'token_missing'],
  ['no scheme', operatorToken, 'token_missing'],
  ['no token', 'Bearer ', 'token_missing'],
  ['a part of it', `Bearer ${operatorToken.slice(0, -1)}`, 'token_invalid'],
  ['more than it', `Bearer ${operatorToken}x`, 'token_invalid'],
])('Authorization: %s', async (_, Authorization, expected) => {
  await using api = await startApi({ credentials });
  const { status, problem } = await api.send({ ...list, headers: { Authorization } });
  expect(status >= 400 ? problem.code : status).toBe(expected);
});

test('two Authorization headers are refused, whichever of them is good', async () => {
  await using api = await startApi({ credentials });
  const lines = [`Authorization: Bearer ${operatorToken}\r\n`, 'Authorization: Bearer x\r\n'];
  for (const both of [lines.join(''), lines.toReversed().join('')]) {
    const reply = await api.raw(`GET /v1/services HTTP/1.1\r\nHost: a\r\n${both}Connection: close\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 401 /);
  }
});

const jwtSecret = createSecretKey(randomBytes(32));
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const [head, payload, signature] = signed({ services: ['*'] }).split('.');
const claims = { aud: 'reg-registry', jti: 'one', exp: inAnHour(), services: ['*'] };

test.each<[why: string, token: string, reason: RegExp]>([
  ["a caller's token, signed with the JWT secret", signed({ aud: 'reg' }, undefined, jwtSecret), /signature/],
  ["a caller's token, signed with ours", signed({ aud: 'reg' }), /audience/],
  ['no audience', signed({ aud: undefined }), /audience/],
  ['another audience', signed({ aud: ['reg', 'reg-registry/'] }), /audience/],
  ['another secret', signed({}, undefined, jwtSecret), /signature/],
  ['an empty secret', signed({}, undefined, createSecretKey(Buffer.alloc(0))), /signature/],
  ['alg none, no signature', `${unsigned({ alg: 'none' })}.`, /signature|neither/],
  ['alg none, our signature', signed({}, { alg: 'none' }), /algorithm|signature/],
  ['alg HS512 over an HS256 signature', signed({}, { alg: 'HS512' }), /algorithm/],
  ['a true HS512', jwt.sign(claims, operatorToken, { algorithm: 'HS512' }), /algorithm/],
  ['a true RS256', jwt.sign(claims, privateKey, { algorithm: 'RS256' }), /algorithm/],
  [
    'HS256 by a public key',
    signed({}, undefined, createSecretKey(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })))),
    /signature/,
  ],
  ['crit', signed({}, { alg: 'HS256', crit: ['exp'] }), /crit/],
  ['payload exchanged', `${head}.${signed({ sub: 'eve' }).split('.')[1]}.${signature}`, /signature/],
  ['signature left out', `${head}.${payload}.`, /signature/],
  ['four segments', `${head}.${payload}.${signature}.${signature}`, /neither/],
  ['exp missing', signed({ exp: undefined }), /exp/],
  ['exp a string', signed({ exp: String(inAnHour()) }), /exp/],
  ['exp null', signed({ exp: null }), /exp/],
  ['exp 1e400', signedText('{"aud":"reg-registry","jti":"a","exp":1e400}'), /exp/],
  ['exp in the past', signed({ exp: inAnHour() - 3_600 - 6 }), /expired/],
  ['exp zero', signed({ exp: 0 }), /expired/],
  ['nbf in the future', signed({ nbf: inAnHour() }), /not valid yet/],
  ['nbf a string', signed({ nbf: 'now' }), /nbf/],
  ['jti missing', signed({ jti: undefined }), /jti/],
  ['jti with a line break', signed({ jti: 'a\nb' }), /jti/],
  ['services a word', signed({ services: '*' }), /services/],
  ['services with a star inside', signed({ services: ['a*b'] }), /services/],
  ['payload an array', signedText('[]'), /./],
  ['payload a word', signedText('word'), /malformed|jwt/],
])('refused, and nothing of it is told or logged: %s', async (_, token, reason) => {
  await using api = await startApi({ credentials });
  const reply = await send(api, list, token);
  expect(reply.problem).toMatchObject({ code: 'token_invalid', status: 401 });
  expect(reply.problem.detail).toMatch(reason);
  for (const told of [reply.text, JSON.stringify(api.lines)]) {
    for (const segment of token.split('.').filter(Boolean)) expect(told).not.toContain(segment);
    expect(told).not.toContain(operatorToken);
  }
});

function unsigned(header: object): string {
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
}

test('a token writes the services that it names, and reads all', async () => {
  await using api = await startApi({ credentials });
  const token = signed({ services: ['tickets', 'billing-*'] });
  const put = (service: string, port: number): Request => ({
    method: 'PUT',
    path: `/v1/services/${service}/instances/one`,
    body: registrationOf({ url: `/${service}`, port }),
  });
  expect(await answer(api, put('tickets', 3001), token)).toBe(201);
  expect(await answer(api, put('billing-eu', 3002), token)).toBe(201);
  expect(await answer(api, put('billing', 3003), token)).toBe('not_permitted');
  expect(await answer(api, put('tickets2', 3004), token)).toBe('not_permitted');
  for (const path of ['/v1/services', '/v1/services/tickets', '/v1/snapshot'])
    expect(await answer(api, { path }, token)).toBe(200);
});

test.each([
  ['readOnly', { services: ['*'], readOnly: true }],
  ['no services', { services: [] }],
  ['nothing said', {}],
])('a token that writes nothing (%s) reads, and reports as a gateway', async (_, more) => {
  await using api = await startApi({ credentials });
  const token = signed(more);
  expect(await answer(api, registerOne, token)).toBe('not_permitted');
  expect(await answer(api, list, token)).toBe(200);
  const report = { method: 'PUT', path: '/v1/gateways/g', body: { epoch: 'e', revision: 1 } };
  expect(await answer(api, report, token)).toBe(200);
});

test('moving a path takes a token for both services', async () => {
  await using api = await startApi({ credentials });
  await api.registry.register({ service: 'a', id: '1' }, registrationOf({ url: '/a', port: 1 }));
  await api.registry.register({ service: 'b', id: '1' }, registrationOf({ url: '/b', port: 2 }));
  const move = { method: 'POST', path: '/v1/paths/move', body: { path: '/a', from: 'a', to: 'b' } };
  expect(await answer(api, move, signed({ services: ['a'] }))).toBe('not_permitted');
  expect(await answer(api, move, signed({ services: ['b'] }))).toBe('not_permitted');
  expect(await answer(api, move, signed({ services: ['a', 'b'] }))).toBe(200);
});

// Story: a service that is down for a moment gives its path to whoever claims it. With a token for anything
// at all one could have waited for that moment, and had its callers and their tokens.
test('a token does not take the path of a service that is down, unless it names that one too', async () => {
  await using api = await startApi({ credentials });
  const key = { service: 'tickets', id: 'one' };
  const { generation } = await api.registry.register(key, registrationOf());
  const expired = { kind: 'instance-expired' as const, service: 'tickets', instanceId: 'one', generation };
  await api.store.write([expired], new Map(), Date.now());
  const claim = { ...registerOne, path: '/v1/services/other/instances/two' };
  expect(await answer(api, claim, signed({ services: ['other'] }))).toBe('not_permitted');
  expect(api.registry.getService('tickets').url).toBe('/tickets');
  expect(await answer(api, claim, signed({ services: ['other', 'tickets'] }))).toBe(201);
});

test('only the token that registered an instance, or an operator, renews, updates, drains and ends it', async () => {
  await using api = await startApi({ credentials });
  const [own, other] = [signed({ services: ['tickets'] }), signed({ services: ['*'] })];
  expect(await answer(api, registerOne, own)).toBe(201);
  const drain = { method: 'PUT', path: `${tickets}/drain?runId=r1` };
  const unregister = { method: 'DELETE', path: `${tickets}?runId=r1` };
  const update = { ...registerOne, body: registrationOf({ runId: 'r1', version: '2' }) };
  const takeOver = { ...registerOne, body: registrationOf({ runId: 'r2' }) };
  const all = [renewOne(api), update, takeOver, drain, unregister];
  for (const request of all) {
    const { problem } = await send(api, request, other);
    expect(problem).toMatchObject({ code: 'instance_foreign', status: 403, retryable: true });
  }
  for (const request of [renewOne(api), update, drain, unregister])
    expect(await answer(api, request, own)).toBe(200);
  expect(await answer(api, { ...registerOne, body: takeOver.body }, other)).toBe(201); // nobody is listed there
});

test('force is an operator’s, also for the token that registered the instance', async () => {
  await using api = await startApi({ credentials });
  const own = signed({ services: ['tickets'] });
  await send(api, registerOne, own);
  for (const request of [
    { method: 'PUT', path: `${tickets}/drain?force=true` },
    { method: 'DELETE', path: `${tickets}?force=true` },
  ]) {
    const { problem } = await send(api, request, own);
    expect(problem).toMatchObject({
      code: 'not_permitted',
      detail: "force=true is an operator's: name the run by generation or runId",
      errors: [{ field: 'force' }],
    });
    expect(await answer(api, request, operatorToken)).toBe(200);
  }
});

// Who was told to name the run did so, and was refused once more: the instance was another token's all along.
test('force and an instance of another token: it is said whose it is, not how else to say it', async () => {
  await using api = await startApi({ credentials });
  await send(api, registerOne, signed({ services: ['tickets'] }));
  const request = { method: 'DELETE', path: `${tickets}?force=true` };
  expect(await answer(api, request, signed({ services: ['*'] }))).toBe('instance_foreign');
});

// "One of generation, runId or force=true" sent a narrow token to what it may not do.
test('who names no run is told that force is an operator’s', async () => {
  await using api = await startApi({ credentials });
  const own = signed({ services: ['tickets'] });
  await send(api, registerOne, own);
  for (const request of [
    { method: 'PUT', path: `${tickets}/drain` },
    { method: 'DELETE', path: tickets },
  ]) {
    const { problem } = await send(api, request, own);
    expect(problem).toMatchObject({
      code: 'invalid_request',
      errors: [{ message: "name the run by generation or runId; force=true is an operator's" }],
    });
  }
});

test('what an operator registers again stays whose it was; what it registered first is its own', async () => {
  await using api = await startApi({ credentials });
  const own = signed({ services: ['tickets'] });
  await send(api, registerOne, own);
  await send(api, { ...registerOne, body: registrationOf({ runId: 'r2' }) }, operatorToken);
  expect(await answer(api, renewOne(api), own)).toBe(200);

  await send(api, { method: 'DELETE', path: `${tickets}?force=true` }, operatorToken);
  await send(api, { ...registerOne, body: registrationOf({ runId: 'r3' }) }, operatorToken);
  expect(await answer(api, renewOne(api), own)).toBe('instance_foreign');
});

test('tokens of one subject own the same instances, so one may be replaced; a subject is no id', async () => {
  await using api = await startApi({ credentials });
  const services = ['tickets'];
  await send(api, registerOne, signed({ services, sub: 'deploy' }));
  expect(api.registry.getService('tickets').instances[0]?.registrant).toBe('sub:deploy');
  expect(await answer(api, renewOne(api), signed({ services, sub: 'deploy' }))).toBe(200);
  expect(await answer(api, renewOne(api), signed({ services, sub: 'other' }))).toBe('instance_foreign');
  expect(await answer(api, renewOne(api), signed({ services, jti: 'deploy' }))).toBe('instance_foreign');
  expect(await answer(api, renewOne(api), signed({ sub: 'deploy' }))).toBe('not_permitted');
});

test('many renewals are answered each by itself', async () => {
  await using api = await startApi({ credentials });
  const own = signed({ services: ['tickets', 'shared'] });
  await send(api, registerOne, own);
  for (const [index, service] of ['shared', 'others'].entries())
    await api.registry.register(
      { service, id: 'x' },
      registrationOf({ url: `/${service}`, port: 4000 + index }),
    );
  const renewals = [
    { service: 'tickets', id: 'one', generation: generationOf(api) },
    { service: 'shared', id: 'x', generation: 1 },
    { service: 'others', id: 'x', generation: 1 },
    { service: 'tickets', id: 'never', generation: 1 },
  ];
  const reply = await send(api, { method: 'POST', path: '/v1/leases', body: { renewals } }, own);
  const results = reply.json?.results as { code?: string }[];
  expect(results.map(({ code }) => code)).toEqual([
    undefined,
    'instance_foreign',
    'not_permitted',
    'instance_not_found',
  ]);
});

test('a revoked token counts no more, at once, and its stream of changes ends', async () => {
  const revoked = new Set<string>();
  const isRevoked = (id: string) => revoked.has(id);
  await using api = await startApi({ credentials: { ...credentials, isRevoked }, keepAliveMs: 20 });
  const token = signed({ jti: 'leaked' });
  const headers = { authorization: `Bearer ${token}` };
  const stream = await fetch(`${api.url}/v1/changes`, { headers });
  expect(await answer(api, list, token)).toBe(200);
  revoked.add('leaked');
  expect(await stream.text()).toContain(': following'); // it has an end
  const { problem } = await send(api, list, token);
  expect(problem).toMatchObject({ code: 'token_invalid', detail: 'the token was revoked' });
  expect(await answer(api, list, signed())).toBe(200);
});

function requestWith(token: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.rawHeaders = ['Authorization', `Bearer ${token}`];
  return request;
}

test('a token that was checked before ends when it expires', async () => {
  let now = Date.now();
  const askerOf = createCredentials(credentials, () => now);
  const token = signed({ exp: now / 1_000 + 10 });
  const request = requestWith(token);
  const asker = askerOf('snapshot', request);
  expect(askerOf('snapshot', request)).toBe(asker); // remembered
  now += 15_000 - 1;
  expect(askerOf('snapshot', request).lasts()).toBe(true);
  now += 1;
  expect(asker.lasts()).toBe(false);
  expect(() => askerOf('snapshot', request)).toThrow('expired');
});

test('what is remembered is bounded, and the oldest goes first', () => {
  const askerOf = createCredentials(credentials);
  const ask = (token: string) => askerOf('snapshot', requestWith(token));
  const [first, last] = [signed(), signed()];
  const [firstAsker, lastAsker] = [ask(first), ask(last)];
  for (let count = 0; count < 1_999; count++) ask(signed());
  expect(ask(last)).toBe(lastAsker);
  expect(ask(first)).not.toBe(firstAsker);
});

test('with a token set any Host is ours, and a page of another origin still writes nothing', async () => {
  await using api = await startApi({ credentials });
  const Authorization = `Bearer ${operatorToken}`;
  const from = (Host: string, more: Record<string, string> = {}) =>
    api.send({ ...registerOne, headers: { Host, Authorization, ...more } });
  expect((await from('registry.example')).status).toBe(201);
  expect((await from('registry.example', { Origin: 'https://registry.example' })).status).toBe(200);
  const foreign = await from('registry.example', { Origin: 'https://evil.example' });
  expect(foreign.problem.code).toBe('origin_refused');
});

test('beyond loopback only with credentials; a token that is too short is refused before anything listens', async () => {
  const { createRegistryServer } = await import('./server.ts');
  await using api = await startApi();
  const options = { registry: api.registry, host: '0.0.0.0', port: 0 };
  await expect(createRegistryServer(options)).rejects.toThrow('no credentials');
  const short = { token: createSecretKey(Buffer.alloc(31)) };
  await expect(createRegistryServer({ ...options, credentials: short })).rejects.toThrow('32 bytes');
  const open = await createRegistryServer({ ...options, credentials });
  const url = `http://127.0.0.1:${open.port}/v1/services`;
  expect((await fetch(url)).status).toBe(401);
  expect((await fetch(url, { headers: { authorization: `Bearer ${operatorToken}` } })).status).toBe(200);
  await open.close();
});

test('nothing of a token is in any line of the log', async () => {
  await using api = await startApi({ credentials });
  const token = signed({ services: ['tickets'] });
  await send(api, registerOne, token);
  await send(api, list, operatorToken);
  await send(api, { ...registerOne, path: '/v1/services/x/instances/y' }, token);
  await eventually(() => api.lines.length === 3);
  for (const secret of [token.split('.')[2] ?? '', operatorToken]) {
    expect(JSON.stringify(api.lines)).not.toContain(secret);
  }
});
