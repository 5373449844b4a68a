// The history says who asked and from where, as the registry saw it and not as somebody claims.
import type { HistoryEntry } from '@reg/schema';
import { expect, test } from 'vitest';
import { credentials, operatorToken as secret, signed } from '../../../../tests/support/registry-token.ts';
import { type Request, registrationOf, startApi, type TestApi } from './test-api.ts';

const path = '/v1/services/tickets/instances/one';
const claimed = { 'X-Reg-Client-Address': '192.0.2.7' };
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

async function done(api: TestApi, request: Request) {
  const reply = await api.send(request);
  expect(reply.status, reply.text).toBeLessThan(300);
  return reply;
}

async function entriesOf(api: TestApi, headers = {}, query = ''): Promise<HistoryEntry[]> {
  const { json } = await done(api, { path: `/v1/history${query}`, headers });
  return json?.entries as HistoryEntry[];
}

test('where no token is asked for, nobody is named, but the address is', async () => {
  await using api = await startApi();
  await done(api, { method: 'PUT', path, body: registrationOf(), headers: claimed });
  const entries = await entriesOf(api);
  expect(entries.map(({ kind, by, from }) => [kind, by, from])).toEqual([
    ['service-updated', undefined, '127.0.0.1'],
    ['instance-registered', undefined, '127.0.0.1'],
  ]);
});

test.each([
  ['operator', secret],
  ['sub:ann', signed({ sub: 'ann', services: ['tickets'] })],
  ['jti:one', signed({ jti: 'one', services: ['tickets'] })],
])('who asks is %s, as its token says', async (by, token) => {
  await using api = await startApi({ credentials });
  await done(api, { method: 'PUT', path, body: registrationOf({ runId: 'r' }), headers: bearer(token) });
  const drain = { method: 'PUT', path: `${path}/drain?runId=r&reason=too+slow` };
  await done(api, { ...drain, headers: bearer(token) });
  await done(api, { method: 'DELETE', path: `${path}?runId=r&reason=exit-code`, headers: bearer(token) });
  const entries = await entriesOf(api, bearer(token));
  expect(entries.map(({ kind }) => kind)).toEqual([
    'service-updated',
    'instance-registered',
    'instance-drained',
    'instance-unregistered',
    'service-removed',
  ]);
  expect(new Set(entries.map((entry) => entry.by))).toEqual(new Set([by]));
  expect(entries.map(({ reason }) => reason)).toEqual([
    undefined,
    undefined,
    'too slow',
    'exit-code',
    undefined,
  ]);
  expect(JSON.stringify(entries)).not.toContain(token);
});

test("a client's address is believed of a gateway that proves to be one, and of nobody else", async () => {
  const gatewayProof = 'what only the gateway of this process has';
  await using api = await startApi({ credentials, gatewayProof });
  const fromOf = async (headers: Record<string, string>) => {
    const body = registrationOf({ version: JSON.stringify(headers).slice(0, 60) });
    await done(api, { method: 'PUT', path, body, headers: { ...bearer(secret), ...headers } });
    return (await entriesOf(api, bearer(secret))).at(-1)?.from;
  };
  const proof = (text: string) => ({ 'X-Reg-Gateway-Proof': text });
  expect(await fromOf(claimed)).toBe('127.0.0.1');
  expect(await fromOf({ ...claimed, ...proof('a guess') })).toBe('127.0.0.1');
  expect(await fromOf({ ...claimed, ...proof(gatewayProof) })).toBe('192.0.2.7');
  expect(await fromOf({ 'X-Reg-Client-Address': '::1', ...proof(secret) })).toBe('::1');
  expect(await fromOf({ ...claimed, ...proof(signed({ services: ['*'] })) })).toBe('127.0.0.1');
  expect(await fromOf({ 'X-Reg-Client-Address': 'not an address', ...proof(gatewayProof) })).toBe(
    '127.0.0.1',
  );
});

test('what the registry ends itself it says so of, and the service that goes with it', async () => {
  await using api = await startApi();
  const body = registrationOf({ lease: { ttlMs: 1_000 } });
  await done(api, { method: 'PUT', path, body });
  const { revision } = api.registry.position();
  const following = new AbortController();
  for await (const set of api.registry.changes({ ...api.registry.position(), revision }, following.signal)) {
    expect(set.changes.map(({ kind }) => kind)).toEqual(['instance-expired']);
    break;
  }
  expect((await entriesOf(api)).at(-1)).toMatchObject({ kind: 'instance-expired', by: 'registry' });
});

test('notes are text of those who may write the service, and stand where they came', async () => {
  await using api = await startApi({ credentials });
  await done(api, { method: 'PUT', path, body: registrationOf(), headers: bearer(secret) });
  const note = {
    service: 'tickets',
    instanceId: 'one',
    event: 'check-failing',
    text: 'GET /health answered 500',
    data: { status: 500, check: 'http', again: true },
  };
  const headers = bearer(signed({ sub: 'registrar', services: ['tickets'] }));
  const before = api.registry.position();
  const { json } = await done(api, { method: 'POST', path: '/v1/history', body: { notes: [note] }, headers });
  expect(json).toEqual(before);
  const noted = { kind: 'note', ...note, by: 'sub:registrar', from: '127.0.0.1' };
  expect((await entriesOf(api, headers)).at(-1)).toMatchObject(noted);

  const { epoch, revision } = before;
  expect(await entriesOf(api, headers, `?after=${epoch}.${revision}`)).toMatchObject([noted]);
  expect(await entriesOf(api, headers, '?service=others')).toEqual([]);
  expect(await entriesOf(api, headers, '?limit=1')).toMatchObject([noted]);
});

test.each([
  ['event', { event: 'Check Failing' }],
  ['text', { text: 'a\u001b[31m' }],
  ['data.key', { data: { key: 'a\nb' } }],
  ['data', { data: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 1])) }],
  ['service', { service: '' }],
])('a note with a wrong %s is refused', async (field, wrong) => {
  await using api = await startApi();
  const note = { service: 'tickets', event: 'e', text: 't', ...wrong };
  const { problem } = await api.send({ method: 'POST', path: '/v1/history', body: { notes: [note] } });
  expect(problem).toMatchObject({ code: 'invalid_request', errors: [{ field: `notes.0.${field}` }] });
  expect(await entriesOf(api)).toEqual([]);
});

test('load is told, measured and shown, and moves no revision', async () => {
  await using api = await startApi({ credentials });
  const headers = bearer(signed({ sub: 'ann', services: ['tickets'] }));
  const reader = bearer(signed({ readOnly: true }));
  await done(api, { method: 'PUT', path, body: registrationOf(), headers });
  const before = api.registry.position();
  const report = (body: object, who = headers) =>
    done(api, { method: 'POST', path: '/v1/services/tickets/load', body, headers: who });
  const figures = { inFlight: 7, p99Ms: 120.5, refusalsPerSecond: 0.2, requestsPerSecond: 40 };
  await report({ level: 'high', forMs: 60_000 });
  await report({ gateway: 'gateway-1', ...figures }, reader);
  await report({ instanceId: 'one', p99Ms: 130 });
  const { json } = await done(api, { path: '/v1/services/tickets', headers: reader });
  expect(json?.load).toEqual({
    ...figures,
    p99Ms: 130,
    gateways: 1,
    told: { level: 'high', until: expect.any(Number), by: 'sub:ann' },
  });
  expect(api.registry.position()).toEqual(before);
  expect((await api.send({ method: 'POST', path: '/v1/services/tickets/load', body: {} })).status).toBe(401);
  const { problem } = await api.send({
    method: 'POST',
    path: '/v1/services/tickets/load',
    body: { level: 'high' },
    headers: reader,
  });
  expect(problem.code).toBe('not_permitted');
});
