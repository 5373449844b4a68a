// What is right is answered as the contract says: each reply is read with the contract's own schema.
import { contract, type OperationName, openapi } from '@reg/schema';
import { expect, test } from 'vitest';
import { listingEtag, matchesEtag } from './etag.ts';
import { type Request, registrationOf, startApi, type TestApi } from './test-api.ts';

const path = '/v1/services/tickets/instances/one';

/** @returns the reply as the contract reads it */
async function replyTo<Name extends Exclude<OperationName, 'changes'>>(
  api: TestApi,
  name: Name,
  request: Request,
  status = 200,
): Promise<ReturnType<(typeof contract)[Name]['reply']['parse']>> {
  const reply = await api.send({ method: contract[name].method, ...request });
  expect(reply.status, reply.text).toBe(status);
  expect(reply.headers['content-type']).toBe('application/json');
  return contract[name].reply.parse(reply.json) as ReturnType<(typeof contract)[Name]['reply']['parse']>;
}

test('the life of an instance, each answer in the shape that the contract promises', async () => {
  await using api = await startApi();
  const body = registrationOf({ runId: 'run-1', lease: { ttlMs: 60_000 } });
  const first = await replyTo(api, 'register', { path, body }, 201);
  const again = await replyTo(api, 'register', { path, body });
  expect(again).toMatchObject({ instanceId: 'one', generation: first.generation, revision: first.revision });
  expect(first.leaseUntil).toBeTypeOf('number');

  const { generation } = first;
  const load = { loopUtilization: 0.25, loopDelayMs: 12 };
  await replyTo(api, 'renew', { path: `${path}/lease`, body: { generation, load } });
  const renewals = [
    { service: 'tickets', id: 'one', generation },
    { service: 'nobody', id: 'one', generation },
  ];
  const { results } = await replyTo(api, 'renewMany', { path: '/v1/leases', body: { renewals } });
  expect(results).toMatchObject([{ leaseUntil: expect.any(Number) }, { code: 'instance_not_found' }]);

  const list = await replyTo(api, 'listServices', { path: '/v1/services' });
  const one = await replyTo(api, 'getService', { path: '/v1/services/tickets' });
  expect(one.instances).toMatchObject([{ load }]);
  const snapshot = await replyTo(api, 'snapshot', { path: '/v1/snapshot' });
  expect([list.revision, one.revision, snapshot.revision]).toEqual(Array(3).fill(first.revision));

  const drained = await replyTo(api, 'drain', { path: `${path}/drain?runId=run-1` });
  expect(drained.revision).toBeGreaterThan(first.revision);
  const { epoch, revision } = drained;
  await replyTo(api, 'reportApplied', { path: '/v1/gateways/one', body: { epoch, revision } });
  expect(await replyTo(api, 'health', { path: '/v1/health' })).toMatchObject({ status: 'ok', instances: 1 });
  expect(await replyTo(api, 'openapi', { path: '/v1/openapi.json' })).toEqual(openapi());

  const other = registrationOf({ url: '/next', port: 3002 });
  await replyTo(api, 'register', { path: '/v1/services/next/instances/one', body: other }, 201);
  const move = { path: '/tickets', from: 'tickets', to: 'next' };
  await replyTo(api, 'movePath', { path: '/v1/paths/move', body: move });
  expect((await replyTo(api, 'getService', { path: '/v1/services/next' })).url).toBe('/tickets');
  const policy = { fallback: { use: [{ kind: 'static', body: '{}' }] } };
  await replyTo(api, 'setPolicy', { path: '/v1/services/next/policy', body: policy });
  await replyTo(api, 'scale', { path: '/v1/services/next/scale', body: { instances: 2 } });
  expect(await replyTo(api, 'getService', { path: '/v1/services/next' })).toMatchObject({
    policy,
    wanted: 2,
  });
  await replyTo(api, 'unregister', { path: `${path}?generation=${generation}` });
  await replyTo(api, 'unregister', { path: `${path}?generation=${generation}` }); // what succeeded succeeds
});

test('the readable document of the original is taken as it stands', async () => {
  await using api = await startApi();
  const { lease: _, ...document } = registrationOf();
  const reply = await replyTo(api, 'register', { path, body: { name: 'tickets', ...document } }, 201);
  expect(reply.leaseUntil).toBeTypeOf('number');
});

test('an unchanged listing is answered by 304, a changed one is sent', async () => {
  await using api = await startApi();
  await api.send({ method: 'PUT', path, body: registrationOf() });
  for (const target of ['/v1/services', '/v1/services/tickets']) {
    const { headers } = await api.send({ path: target });
    const { epoch, revision } = api.registry.position();
    expect(headers.etag).toBe(`W/"${epoch}.${revision}"`);
    const conditional = { path: target, headers: { 'If-None-Match': String(headers.etag) } };
    const unchanged = await api.send(conditional);
    expect(unchanged).toMatchObject({ status: 304, text: '', headers: { etag: headers.etag } });
    await api.send({ method: 'PUT', path, body: registrationOf({ version: target }) });
    expect((await api.send(conditional)).status).toBe(200);
  }
});

test('holding back is part of what a listing says, so of its ETag', () => {
  const position = { epoch: 'e', revision: 1 };
  expect(listingEtag({ ...position, holdingBack: false })).toBe('W/"e.1"');
  expect(listingEtag({ ...position, holdingBack: true })).toBe('W/"e.1-held"');
});

test.each([
  [undefined, false],
  ['*', true],
  ['W/"e.1"', true],
  ['"e.1"', true],
  ['"x", W/"e.1"', true],
  ['W/"e.1-held"', false],
  ['"e.11"', false],
  ['e.1', false],
])('If-None-Match: %s against W/"e.1" is %s', (header, matches) => {
  expect(matchesEtag(header, 'W/"e.1"')).toBe(matches);
});

test('HEAD answers as GET does, without a body', async () => {
  await using api = await startApi();
  for (const target of ['/v1/health', '/v1/services', '/v1/snapshot', '/v1/changes', '/v1/services/nobody']) {
    const get = target === '/v1/changes' ? { status: 200 } : await api.send({ path: target });
    const head = await api.send({ method: 'HEAD', path: target });
    expect(head).toMatchObject({ status: get.status, text: '' });
    if (target !== '/v1/changes')
      expect(head.headers['content-length']).toBe(String((await api.send({ path: target })).text.length));
  }
});
