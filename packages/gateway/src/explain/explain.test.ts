// What is explained is what happens: each question is asked of `explain` and then of the gateway itself.
import { expect, test } from 'vitest';
import {
  deadPort,
  instanceOf,
  rawRequest,
  startGateway,
  startUpstream,
  type TestGateway,
  testCatalog,
  tokenOf,
} from '../gateway.fixture.ts';
import { goodClaims, signed } from '../tokens/signed.fixture.ts';

const echo = () => startUpstream((request, response) => response.end(request.url));
const ann = tokenOf('ann', ['tickets-query']);

/** Every stage has a way to end a request here. */
async function startAll() {
  const upstream = await echo();
  const one = await startGateway();
  const { url } = upstream;
  const { catalog } = one;
  catalog.add({ url: '/open' }, { id: 'a', endpoints: [`${url}/base`] });
  catalog.add(
    { url: '/tickets', access: 'token', authorizedRoles: ['tickets-query'] },
    { id: 'b', endpoints: [url] },
  );
  catalog.add({ url: '/any', access: 'token' }, { id: 'c', endpoints: [url] });
  catalog.add({ url: '/read' }, { id: 'd', endpoints: [{ type: 'http-get', url }] });
  catalog.add({ url: '/queue' }, { id: 'e', endpoints: [{ type: 'amqp', url: 'amqp://127.0.0.1/q' }] });
  catalog.add({ url: '/draining' }, { id: 'f', state: 'draining', endpoints: [url] });
  catalog.add({ url: '/down' });
  const parts = [{ type: 'http-get' as const, url, as: 'x' }];
  catalog.add({ url: '/merged' }, { id: 'g', merge: true, partial: 'allow', endpoints: parts });
  await one.follows();
  return { upstream, one };
}

/** As the client sends it; the token is the only header that matters. */
async function ask(one: TestGateway, method: string, target: string, token?: string) {
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${authorization}Connection: close\r\n\r\n`;
  const answer = await rawRequest(one.port, head);
  return { status: answer.status, code: /"code":"(\w+)"/.exec(answer.body)?.[1] };
}

const expired = signed({ ...goodClaims, exp: 1 });

test.each<[method: string, target: string, token: string | undefined, stage: string, code?: string]>([
  ['GET', '/open/1?q=1', undefined, 'dispatch'],
  ['GET', '/../open', undefined, 'accept', 'malformed_request'],
  ['GET', '/open%2f', undefined, 'accept', 'malformed_request'],
  ['TRACE', '/open', undefined, 'accept', 'method_not_allowed'],
  ['GET', `/${'a'.repeat(9_000)}`, undefined, 'accept', 'head_too_large'],
  ['GET', '/nowhere', undefined, 'match', 'route_not_found'],
  ['GET', '/Open', undefined, 'match', 'route_not_found'],
  ['GET', '/_reg/else', undefined, 'match', 'route_not_found'],
  ['POST', '/_reg/health', undefined, 'match', 'method_not_allowed'],
  ['GET', '/_reg/health?check=dead', undefined, 'match', 'invalid_request'],
  ['POST', '/read', undefined, 'match', 'method_not_allowed'],
  ['GET', '/read', undefined, 'dispatch'],
  ['GET', '/tickets', undefined, 'authenticate', 'token_missing'],
  ['GET', '/tickets', 'x.y.z', 'authenticate', 'token_invalid'],
  ['GET', '/tickets', expired, 'authenticate', 'token_invalid'],
  ['GET', '/tickets', signed({ ...goodClaims, aud: 'else' }), 'authenticate', 'token_invalid'],
  ['GET', '/tickets', tokenOf('bob', ['other']), 'authorize', 'role_missing'],
  ['GET', '/tickets', ann, 'dispatch'],
  ['GET', '/any', tokenOf('', []), 'dispatch'],
  ['GET', '/queue', undefined, 'dispatch', 'endpoint_type_unsupported'],
  ['GET', '/draining', undefined, 'dispatch', 'no_instances'],
  ['GET', '/down', undefined, 'dispatch', 'no_instances'],
  ['PUT', '/merged', undefined, 'match', 'method_not_allowed'],
])('%s %s ends where the explanation says', async (method, target, token, stage, code) => {
  const { upstream, one } = await startAll();
  await using _upstream = upstream;
  await using _gateway = one;
  const { outcome } = await one.gateway.explain({ method, target, token });
  expect(outcome).toMatchObject({ stage, ok: code === undefined });
  const answer = await ask(one, method, target, token);
  expect(answer).toEqual({ status: outcome.status ?? 200, code: outcome.code });
  expect(outcome.code).toBe(code);
});

test('asking changes nothing: round robin, log and upstreams are as before, and it tells who is next', async () => {
  const asked: string[] = [];
  const listen = (name: string) =>
    startUpstream((_request, response) => {
      asked.push(name);
      response.end();
    });
  await using a = await listen('a');
  await using b = await listen('b');
  await using c = await listen('c');
  await using d = await listen('d');
  await using one = await startGateway();
  const instances = Object.entries({ a, b, c, d }).map(([id, { url }]) => ({ id, endpoints: [url] }));
  one.catalog.add({ url: '/x' }, ...instances); // one more than are tried, so no explanation comes full circle
  await one.follows();
  for (let round = 0; round < 5; round++) {
    const question = { method: 'GET', target: '/x' };
    const { order } = await one.gateway.explain(question);
    expect((await one.gateway.explain(question)).order).toEqual(order);
    await fetch(`${one.url}/x`);
    expect(asked.at(-1)).toBe(order[0]);
    expect(order).toHaveLength(3);
  }
  expect(asked).toEqual(['a', 'b', 'c', 'd', 'a']);
  expect(one.log).toHaveLength(5);
});

test('an instance has its reasons: up, avoided after a failure, draining, unfit, expired, unregistered', async () => {
  await using upstream = await echo();
  await using one = await startGateway();
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const { catalog } = one;
  catalog.add(
    { url: '/x' },
    { id: 'dead', endpoints: [dead] },
    { id: 'up', endpoints: [`${upstream.url}/base`] },
    { id: 'reader', endpoints: [{ type: 'http-get', url: upstream.url }] },
    { id: 'leaving', state: 'draining', endpoints: [upstream.url] },
    { id: 'expired', endpoints: [upstream.url] },
    { id: 'left', endpoints: [upstream.url] },
  );
  const gone = { service: 'x', generation: 1 };
  catalog.change({ kind: 'instance-expired', ...gone, instanceId: 'expired' });
  catalog.change({ kind: 'instance-unregistered', ...gone, instanceId: 'left', reason: 'a deploy' });
  await one.follows();
  await fetch(`${one.url}/x`, { method: 'POST' }); // dead is first, and then up
  const explanation = await one.gateway.explain({ method: 'POST', target: '/x/1?secret=2' });
  const words = explanation.instances.map(({ instanceId, in: gets, reasons }) => [
    instanceId,
    gets,
    reasons.map(({ code }) => code).join(),
  ]);
  expect(words).toEqual([
    ['dead', true, 'up,avoided,last_failure'],
    ['up', true, 'up'],
    ['reader', false, 'method_unfit'],
    ['leaving', false, 'draining'],
    ['left', false, 'unregistered'],
    ['expired', false, 'expired'],
  ]);
  expect(explanation.order).toEqual(['up', 'dead']);
  expect(explanation.instances[1]?.url).toBe(`${upstream.url}/base/1`);
  expect(explanation.instances[4]?.reasons[0]?.text).toContain('(a deploy)');
  expect(explanation.retry).toEqual({ unconnected: true, unanswered: false, unansweredWithBody: false });
  expect(JSON.stringify(explanation)).not.toContain('secret');

  catalog.change({
    kind: 'instance-registered',
    service: 'x',
    instance: instanceOf({ id: 'left', endpoints: [dead] }),
  });
  await one.follows();
  const { instances } = await one.gateway.explain({ method: 'POST', target: '/x' });
  expect(instances.filter(({ instanceId }) => instanceId === 'left')).toMatchObject([{ in: true }]);
});

test('one that only an earlier epoch knew is told as such, also for a while after it went', async () => {
  let time = 1_000_000;
  await using upstream = await echo();
  await using one = await startGateway({ now: () => time });
  one.catalog.add({ url: '/x' }, { id: 'old', lease: { ttlMs: 1_000 }, endpoints: [upstream.url] });
  await one.follows();
  one.catalog.restart('two');
  one.catalog.add({ url: '/x' }, { id: 'new', endpoints: [upstream.url] });
  await one.follows();
  const explained = () => one.gateway.explain({ method: 'GET', target: '/x' });
  const before = await explained();
  expect(before.instances.find(({ instanceId }) => instanceId === 'old')).toMatchObject({
    in: true,
    reasons: [{ code: 'up' }, { code: 'unconfirmed' }],
  });
  expect(before.view).toMatchObject({ stale: true, position: { epoch: 'two' } });
  time += 1_001;
  await expect
    .poll(async () => (await explained()).instances.at(-1), { timeout: 10_000 })
    .toMatchObject({
      instanceId: 'old',
      in: false,
      reasons: [{ code: 'unconfirmed' }],
    });
});

test('the caller: roles needed and held, or why the token is no good, and never the token', async () => {
  const { upstream, one } = await startAll();
  await using _upstream = upstream;
  await using _gateway = one;
  const callerOf = async (target: string, token?: string) => {
    const explanation = await one.gateway.explain({ method: 'GET', target, token });
    const signature = token?.split('.')[2] ?? 'no token';
    expect(JSON.stringify(explanation)).not.toContain(signature);
    return explanation;
  };
  expect(await callerOf('/tickets', tokenOf('bob', ['other']))).toMatchObject({
    route: { authorizedRoles: ['tickets-query'], access: 'token' },
    caller: { token: 'valid', subject: 'bob', roles: ['other'] },
    instances: [{ instanceId: 'b', in: true }], // told although the caller may not
  });
  expect((await callerOf('/tickets', expired)).caller).toEqual({
    token: 'refused',
    detail: 'the token has expired, at 1970-01-01T00:00:01.000Z',
  });
  const elsewhere = signed({ ...goodClaims, aud: 'else', exp: 4_102_444_800 });
  expect((await callerOf('/tickets', elsewhere)).caller?.detail).toMatch(/audience invalid/);
  expect((await callerOf('/tickets')).caller?.detail).toBe('a Bearer token is needed');
  expect((await callerOf('/open', expired)).caller).toEqual({ token: 'not_asked' });
  expect((await callerOf('/nowhere', expired)).caller).toBeUndefined();
});

test('a deprecated instance is told, and until when', async () => {
  await using upstream = await echo();
  await using one = await startGateway();
  const deprecated = { sunset: Date.UTC(2027, 0, 31), since: 0 };
  one.catalog.add({ url: '/open' }, { id: 'a', endpoints: [upstream.url], deprecated });
  await one.follows();
  const { instances } = await one.gateway.explain({ method: 'GET', target: '/open' });
  expect(instances[0]?.reasons.map(({ code }) => code)).toEqual(['up', 'deprecated']);
  expect(instances[0]?.reasons[1]?.text).toContain('2027-01-31');
});

test('what the registry behind the gateway gets is told so', async () => {
  await using one = await startGateway({
    registry: { path: '/registry', address: () => 'http://127.0.0.1:1' },
  });
  one.catalog.add({ url: '/open' });
  await one.follows();
  const { outcome } = await one.gateway.explain({ method: 'GET', target: '/registry/v1/services/a%2Fb' });
  expect(outcome).toMatchObject({ ok: false, stage: 'match', detail: expect.stringContaining('registry') });
  const other = await one.gateway.explain({ method: 'GET', target: '/registryx' });
  expect(other.outcome.code).toBe('route_not_found');
});

test('of merged endpoints each part is told, with its method and address', async () => {
  const { upstream, one } = await startAll();
  await using _upstream = upstream;
  await using _gateway = one;
  const { instances, outcome } = await one.gateway.explain({ method: 'HEAD', target: '/merged/1?q' });
  expect(instances).toMatchObject([
    {
      partial: 'allow',
      parts: [{ as: 'x', type: 'http-get', method: 'GET', url: `${upstream.url}/1` }],
    },
  ]);
  expect(outcome.detail).toContain('merged');
});

test('before the first snapshot it says so, and the gateway answers its own health itself', async () => {
  const catalog = testCatalog();
  catalog.away = true;
  await using one = await startGateway({ catalog });
  const explained = await one.gateway.explain({ method: 'GET', target: '/x' });
  expect(explained.outcome).toMatchObject({ ok: false, stage: 'match', code: 'catalog_unavailable' });
  const question = { method: 'GET', target: '/_reg/health?check=live' };
  expect((await one.gateway.explain(question)).outcome).toMatchObject({ ok: false, status: 200 });
});
