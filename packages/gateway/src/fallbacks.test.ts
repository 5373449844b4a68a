// What callers hear while no instance of a service answers, and that it ends by itself. Upstreams are real, and die.
import { gzipSync } from 'node:zlib';
import type { ServicePolicy } from '@reg/schema';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  deadPort,
  startGateway,
  startRawUpstream,
  startUpstream,
  type TestGateway,
  type TestService,
  tokenOf,
} from './gateway.fixture.ts';

type Fallback = NonNullable<ServicePolicy['fallback']>;
type Use = Fallback['use'];

const service = (use: Use, more: TestService & Partial<Fallback> = { url: '/tickets' }): TestService => {
  const { methods, ...definition } = more;
  return { ...definition, policy: { fallback: { use, ...(methods && { methods }) } } };
};
const dead = async (id = 'dead') => ({ id, endpoints: [`http://127.0.0.1:${await deadPort()}`] });

interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

async function ask({ url }: TestGateway, path: string, asked: Asked = {}) {
  const response = await fetch(url + path, { ...asked, headers: { connection: 'close', ...asked.headers } });
  const text = await response.text();
  return {
    status: response.status,
    text,
    headers: response.headers,
    mark: response.headers.get('x-reg-degraded'),
  };
}

const callerOf = (subject: string, roles: readonly string[] = []) => ({
  headers: { authorization: `Bearer ${tokenOf(subject, roles)}` },
});

/** A service with one instance, which answers as `headers` say, and dies when it is told to. */
async function startWorld(
  use: Use,
  headers: Record<string, string> = {},
  more?: TestService & Partial<Fallback>,
) {
  let time = 1_000_000;
  let answers = 0;
  let failing = false;
  const upstream = await startUpstream((request, response) => {
    if (failing) {
      request.socket.destroy();
      return;
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const { 'accept-language': language = '', 'x-reg-subject': subject = '' } = request.headers;
    const words = [`${++answers}`, request.url, language, subject];
    response.end(words.filter((word) => word !== '' && word !== '*').join(' ')); // fetch says * of its own
  });
  const one = await startGateway({ now: () => time });
  one.catalog.add(service(use, more ?? { url: '/tickets' }), { id: 'a', endpoints: [upstream.url] });
  await one.follows();
  return {
    one,
    upstream,
    ask: (path: string, asked?: Asked) => ask(one, path, asked),
    fail(is: boolean) {
      failing = is;
    },
    goOn(byMs: number) {
      time += byMs;
    },
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

const cache: Use = [{ kind: 'cache' }];

describe('the last good answer', () => {
  test('stands in for one that does not come, marked and with its age, and never after the service is back', async () => {
    await using world = await startWorld(cache, {
      'Content-Type': 'text/plain',
      ETag: '"1"',
      'Cache-Control': 'max-age=600',
    });
    expect(await world.ask('/tickets/1?a=b')).toMatchObject({ status: 200, text: '1 /1?a=b', mark: null });
    world.fail(true);
    world.goOn(31_000);
    const kept = await world.ask('/tickets/1?a=b');
    expect(kept).toMatchObject({ status: 200, text: '1 /1?a=b', mark: 'tickets; source=cache; age=31' });
    expect(Object.fromEntries(kept.headers)).toMatchObject({
      age: '31',
      'cache-control': 'no-store',
      'content-type': 'text/plain',
      etag: '"1"',
      'content-length': '8',
    });
    const head = await world.ask('/tickets/1?a=b', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '', mark: 'tickets; source=cache; age=31' });
    expect(head.headers.get('content-length')).toBe('8');
    expect(await world.ask('/tickets/1?a=c')).toMatchObject({ status: 502, mark: null });
    expect(await world.ask('/tickets/1?a=b', { method: 'POST' })).toMatchObject({ status: 502, mark: null });
    world.fail(false);
    expect(await world.ask('/tickets/1?a=b')).toMatchObject({ text: '2 /1?a=b', mark: null });
  });

  test('it goes with its age, that of its own before it came too', async () => {
    await using world = await startWorld([{ kind: 'cache', maxAgeMs: 60_000 }], { Age: '20' });
    await world.ask('/tickets');
    world.fail(true);
    world.goOn(40_000);
    expect(await world.ask('/tickets')).toMatchObject({ status: 200, mark: 'tickets; source=cache; age=60' });
    world.goOn(1);
    expect(await world.ask('/tickets')).toMatchObject({ status: 502 });
  });

  test.each([
    [{ 'Cache-Control': 'no-store' }],
    [{ 'Cache-Control': 'max-age=60, Private' }],
    [{ 'Cache-Control': 'private="x-a"' }],
    [{ 'Cache-Control': 'no-cache' }],
    [{ 'Cache-Control': 'max-age=0,must-revalidate' }],
    [{ 'Set-Cookie': 'a=b' }],
    [{ Vary: 'Accept, *' }],
    [{ 'Content-Type': 'text/event-stream' }],
    [{ 'X-Reg-Degraded': 'other; source=static' }],
  ] as Record<string, string>[][])('an answer with %j is not kept', async (headers = {}) => {
    await using world = await startWorld([{ kind: 'cache', public: true }], headers);
    expect(await world.ask('/tickets')).toMatchObject({ status: 200, mark: null });
    world.fail(true);
    expect(await world.ask('/tickets')).toMatchObject({ status: 502, mark: null });
  });

  test('nor one to a request that says no-store, nor one longer than 1 MiB, nor one that broke off', async () => {
    const long = 'x'.repeat(1024 * 1024 + 1);
    let fails = false;
    await using upstream = await startUpstream((request, response) => {
      if (fails) request.socket.destroy();
      else if (request.url === '/long') response.end(long);
      else if (request.url === '/chunked') response.write(long, () => response.end());
      else if (request.url === '/broken') response.write('x', () => request.socket.destroy());
      else response.end('short');
    });
    await using one = await startGateway();
    one.catalog.add(service(cache), { endpoints: [upstream.url] });
    await one.follows();
    await ask(one, '/tickets/', { headers: { 'cache-control': 'no-store' } });
    expect((await ask(one, '/tickets/long')).text).toHaveLength(long.length);
    expect((await ask(one, '/tickets/chunked')).text).toHaveLength(long.length);
    await expect(ask(one, '/tickets/broken')).rejects.toThrow();
    await ask(one, '/tickets/kept');
    fails = true;
    for (const path of ['', 'long', 'chunked', 'broken'])
      expect((await ask(one, `/tickets/${path}`)).status).toBe(502);
    expect(await ask(one, '/tickets/kept')).toMatchObject({ status: 200, text: 'short' });
  });

  test('it is passed on as it comes: the first piece is there before the last was sent', async () => {
    let finish = () => {};
    await using upstream = await startUpstream((_, response) => {
      response.write('first ');
      finish = () => response.end('last');
    });
    await using one = await startGateway();
    one.catalog.add(service(cache), { id: 'a', endpoints: [upstream.url] });
    await one.follows();
    const response = await fetch(`${one.url}/tickets`);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('first ');
    finish();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('last');
    await reader.cancel();
    one.catalog.change({ kind: 'instance-expired', service: 'tickets', instanceId: 'a', generation: 1 });
    await one.follows();
    expect(await ask(one, '/tickets')).toMatchObject({ status: 200, text: 'first last' });
  });

  test('what it varies in counts: language, host, and coding where it is coded', async () => {
    await using world = await startWorld(cache, { Vary: 'Accept-Language' });
    const german = { headers: { 'accept-language': 'de' } };
    await world.ask('/tickets', german);
    await world.ask('/tickets', { headers: { 'accept-language': 'en' } });
    world.fail(true);
    expect((await world.ask('/tickets', german)).text).toBe('1 / de');
    expect((await world.ask('/tickets', { headers: { 'accept-language': 'en' } })).text).toBe('2 / en');
    expect((await world.ask('/tickets', { headers: { 'accept-language': 'fr' } })).status).toBe(502);
    const byName = world.one.url.replace('127.0.0.1', 'localhost');
    expect((await fetch(`${byName}/tickets`, german)).status).toBe(502);
  });

  test('a coded answer is for who takes that coding, whether it says Vary or not', async () => {
    let fails = false;
    await using upstream = await startUpstream((request, response) => {
      if (fails) request.socket.destroy();
      else response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync('hello'));
    });
    await using one = await startGateway();
    one.catalog.add(service(cache), { endpoints: [upstream.url] });
    await one.follows();
    await ask(one, '/tickets', { headers: { 'accept-encoding': 'gzip' } });
    fails = true;
    expect((await ask(one, '/tickets', { headers: { 'accept-encoding': 'gzip' } })).text).toBe('hello');
    expect((await ask(one, '/tickets', { headers: { 'accept-encoding': 'identity' } })).status).toBe(502);
  });
});

describe('whose a kept answer is', () => {
  const protectedService: TestService = { url: '/tickets', access: 'token' };
  const [ann, bob] = [callerOf('ann', ['b', 'a']), callerOf('bob')];

  test('of the caller alone, with the roles it had; in whatever order they come', async () => {
    await using world = await startWorld(cache, {}, protectedService);
    expect((await world.ask('/tickets', ann)).text).toBe('1 / ann');
    world.fail(true);
    expect((await world.ask('/tickets', ann)).mark).toBe('tickets; source=cache; age=0');
    expect((await world.ask('/tickets', callerOf('ann', ['a', 'b', 'a']))).text).toBe('1 / ann');
    expect((await world.ask('/tickets', callerOf('ann', ['a']))).status).toBe(502);
    expect((await world.ask('/tickets', bob)).status).toBe(502);
    expect((await world.ask('/tickets')).status).toBe(401);
  });

  test('public: of whoever may call', async () => {
    await using world = await startWorld([{ kind: 'cache', public: true }], {}, protectedService);
    await world.ask('/tickets', ann);
    world.fail(true);
    expect((await world.ask('/tickets', bob)).text).toBe('1 / ann');
    expect((await world.ask('/tickets')).status).toBe(401);
  });

  test('tokens without a subject are not told apart, so nothing is kept for them', async () => {
    await using world = await startWorld(cache, {}, protectedService);
    await world.ask('/tickets', callerOf(''));
    world.fail(true);
    expect((await world.ask('/tickets', callerOf(''))).status).toBe(502);
  });

  // Story: a public service looks at cookies or tokens itself, and says nothing of it in Vary.
  test.each([
    [{ cookie: 'session=1' }, { cookie: 'session=2' }],
    [{ authorization: 'Basic YTph' }, {}],
  ] as const)('of a public service: with what the caller brings, %j, not for %j', async (mine, other) => {
    await using world = await startWorld(cache);
    await world.ask('/tickets', { headers: mine });
    world.fail(true);
    expect((await world.ask('/tickets', { headers: mine })).status).toBe(200);
    expect((await world.ask('/tickets', { headers: other })).status).toBe(502);
  });

  test('the same path of another service has nothing of it', async () => {
    await using world = await startWorld(cache);
    await world.ask('/tickets');
    world.fail(true);
    world.one.catalog.change({ kind: 'service-removed', service: 'tickets' });
    world.one.catalog.add(service(cache, { name: 'other', url: '/tickets' }));
    await world.one.follows();
    expect((await world.ask('/tickets')).status).toBe(503);
  });
});

describe('another service', () => {
  async function startTwo(other: TestService, more?: TestService & Partial<Fallback>) {
    const upstream = await startUpstream((request, response) => {
      response.setHeader('Cache-Control', 'max-age=60');
      if (request.url?.includes('broken')) response.statusCode = 500;
      response.end(`spare ${request.method} ${request.url}`);
    });
    const one = await startGateway();
    const use: Use = [
      { kind: 'service', service: 'Spare Tickets' },
      { kind: 'static', status: 203, body: 'static' },
    ];
    one.catalog.add(service(use, more ?? { url: '/tickets' }), await dead());
    one.catalog.add(
      { ...other, name: 'Spare Tickets' },
      { id: 'spare', endpoints: [`${upstream.url}/base`] },
    );
    await one.follows();
    return {
      one,
      async [Symbol.asyncDispose]() {
        await one[Symbol.asyncDispose]();
        await upstream[Symbol.asyncDispose]();
      },
    };
  }

  test('at the same remainder of the path, marked, and not to be kept by anybody', async () => {
    await using world = await startTwo({ url: '/spare' });
    const { status, text, mark, headers } = await ask(world.one, '/tickets/1?a=b');
    expect([status, text, mark]).toEqual([
      200,
      'spare GET /base/1?a=b',
      'tickets; source=service; to=Spare%20Tickets',
    ]);
    expect(headers.get('cache-control')).toBe('no-store');
    await eventually(() => world.one.log.length === 1);
    expect(world.one.log[0]).toMatchObject({
      service: 'tickets',
      instance: 'spare',
      degraded: mark,
      attempts: 2,
    });
  });

  test.each([
    [
      'one that must not call it',
      { url: '/spare', access: 'token' as const, authorizedRoles: ['spare'] },
      callerOf('ann', []),
      203,
    ],
    ['one without a token', { url: '/spare', access: 'token' as const }, {}, 203],
    [
      'one that may call it',
      { url: '/spare', access: 'token' as const, authorizedRoles: ['spare'] },
      callerOf('ann', ['spare']),
      200,
    ],
  ])('who is let in there is asked there: %s', async (_, other, caller, status) => {
    await using world = await startTwo(other);
    expect((await ask(world.one, '/tickets/1', caller)).status).toBe(status);
  });

  test('one that fails itself is passed over', async () => {
    await using world = await startTwo({ url: '/spare' });
    expect(await ask(world.one, '/tickets/broken')).toMatchObject({
      status: 203,
      text: 'static',
      mark: 'tickets; source=static',
    });
  });

  test('what changes something goes there only where it is named, and has not been sent already', async () => {
    await using world = await startTwo({ url: '/spare' });
    expect((await ask(world.one, '/tickets/1', { method: 'POST' })).status).toBe(502);
    await using named = await startTwo({ url: '/spare' }, { url: '/tickets', methods: ['POST'] });
    expect((await ask(named.one, '/tickets/1', { method: 'POST' })).text).toBe('spare POST /base/1');
    expect((await ask(named.one, '/tickets/1', { method: 'GET' })).status).toBe(502);
    await using killer = await startRawUpstream((socket) => socket.destroy());
    named.one.catalog.add(
      service([{ kind: 'service', service: 'Spare Tickets' }], { url: '/tickets', methods: ['POST'] }),
      {
        id: 'dead',
        generation: 2,
        endpoints: [killer.url],
      },
    );
    await named.one.follows();
    expect((await ask(named.one, '/tickets/1', { method: 'POST' })).status).toBe(502); // it may have been done
  });

  test('two that name each other end: a fallback falls back no further', async () => {
    await using one = await startGateway();
    one.catalog.add(service([{ kind: 'service', service: 'b' }], { url: '/a' }), await dead());
    one.catalog.add(service([{ kind: 'service', service: 'a' }], { url: '/b' }), await dead());
    one.catalog.add(service([{ kind: 'service', service: 'c' }], { url: '/c' }), await dead());
    one.catalog.add(service([{ kind: 'service', service: 'nobody' }], { url: '/d' }), await dead());
    await one.follows();
    for (const path of ['/a', '/b', '/c', '/d']) expect((await ask(one, path)).status).toBe(502);
    await eventually(() => one.log.length === 4);
    expect(one.log.map(({ attempts }) => attempts)).toEqual([2, 2, 1, 1]);
  });
});

test('a static answer: its status, fields and type; none that frames the message or speaks in our name', async () => {
  await using one = await startGateway();
  const headers = {
    'X-Reg-Subject': 'root',
    'Transfer-Encoding': 'chunked',
    'Content-Length': '1',
    'Content-Type': 'text/html',
    'X-Mine': 'yes',
  };
  const answer = { kind: 'static' as const, status: 503, headers, contentType: 'text/plain', body: 'später' };
  one.catalog.add(service([answer]), await dead());
  one.catalog.add(service([{ kind: 'static', status: 204, body: 'ignored' }], { url: '/empty' }));
  await one.follows();
  const { status, text, headers: got, mark } = await ask(one, '/tickets');
  expect([status, text, mark]).toEqual([503, 'später', 'tickets; source=static']);
  expect(Object.fromEntries(got)).toMatchObject({
    'content-type': 'text/plain',
    'content-length': '7',
    'x-mine': 'yes',
    'cache-control': 'no-store',
  });
  expect(got.has('x-reg-subject')).toBe(false);
  expect(await ask(one, '/empty')).toMatchObject({ status: 204, text: '', mark: 'empty; source=static' });
});

test('partial: of merged endpoints those that answer', async () => {
  await using good = await startUpstream((_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"id":1}');
  });
  await using one = await startGateway();
  const [bad = ''] = (await dead()).endpoints;
  const parts = [
    { type: 'http' as const, url: good.url },
    { type: 'http' as const, url: bad, as: 'tickets' },
  ];
  one.catalog.add(service([{ kind: 'cache' }, { kind: 'partial' }], { url: '/desk' }), {
    id: 'm',
    merge: true,
    endpoints: parts,
  });
  await one.follows();
  const { status, text, mark, headers } = await ask(one, '/desk');
  expect([status, text, mark]).toEqual([200, '{"id":1}', 'desk; source=partial']);
  expect(headers.get('x-reg-partial')).toBe('tickets; reason=unreachable');
});

test('no answer in time, nobody left, gone with the last one: all fall back; what an instance says itself does not', async () => {
  await using silent = await startRawUpstream(() => undefined);
  await using busy = await startUpstream((_, response) => response.writeHead(503).end('busy'));
  await using one = await startGateway({ upstreamTimeoutMs: 20 });
  const use: Use = [{ kind: 'static', body: 'static' }];
  one.catalog.add(service(use, { url: '/silent' }), { endpoints: [silent.url] });
  one.catalog.add(service(use, { url: '/draining' }), { state: 'draining', endpoints: [silent.url] });
  one.catalog.add(service(use, { url: '/nobody' }));
  one.catalog.add(service(use, { url: '/busy' }), { endpoints: [busy.url] });
  await one.follows();
  for (const path of ['/silent', '/draining', '/nobody']) {
    expect(await ask(one, path)).toMatchObject({ text: 'static', mark: `${path.slice(1)}; source=static` });
  }
  expect(await ask(one, '/busy')).toMatchObject({ status: 503, text: 'busy', mark: null });
});

test('a client that claims to be degraded is not heard, and an upstream neither', async () => {
  let heard: unknown;
  await using upstream = await startUpstream((request, response) => {
    heard = request.headers['x-reg-degraded'];
    response.writeHead(200, { 'X-Reg-Degraded': 'tickets; source=cache' }).end();
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/tickets' }, { endpoints: [upstream.url] });
  await one.follows();
  expect((await ask(one, '/tickets', { headers: { 'X-Reg-Degraded': 'tickets; source=cache' } })).mark).toBe(
    null,
  );
  expect(heard).toBe(undefined);
});

test('health counts and names it while it goes on; the explanation says what would answer', async () => {
  await using world = await startWorld([
    { kind: 'cache' },
    { kind: 'service', service: 'spare' },
    { kind: 'static', body: 'x' },
  ]);
  const { gateway, catalog, follows } = world.one;
  const explained = async () => (await gateway.explain({ method: 'GET', target: '/tickets' })).fallback;
  expect(gateway.health()).toMatchObject({ status: 'ok' });
  expect(gateway.health()).not.toHaveProperty('degradedAnswers');
  expect(await explained()).toMatchObject([
    { kind: 'cache', answers: false },
    { kind: 'service', answers: false, text: 'there is no service spare' },
    { kind: 'static', answers: true, status: 200 },
  ]);
  await world.ask('/tickets');
  catalog.change({ kind: 'instance-expired', service: 'tickets', instanceId: 'a', generation: 1 });
  await follows();
  world.goOn(5_000);
  const { outcome, fallback } = await gateway.explain({ method: 'GET', target: '/tickets' });
  expect(fallback?.[0]).toMatchObject({ kind: 'cache', answers: true, text: 'an answer of 5 s ago is kept' });
  expect(outcome).toMatchObject({ ok: false, stage: 'dispatch', status: 200 });
  expect(outcome).not.toHaveProperty('code');
  expect((await gateway.explain({ method: 'POST', target: '/tickets' })).outcome.code).toBe('no_instances');
  expect((await world.ask('/tickets')).mark).toBe('tickets; source=cache; age=5');
  expect(gateway.health()).toMatchObject({
    status: 'degraded',
    degradedAnswers: 1,
    ready: {
      ok: true,
      reasons: [{ code: 'answers_degraded', text: 'tickets is answered by its fallback', since: 1_005_000 }],
    },
  });
  world.goOn(60_001);
  expect(gateway.health()).toMatchObject({ status: 'ok', degradedAnswers: 1 });
});
