// What callers hear while no instance of a service answers. Upstreams are real, and die.
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { ask, callerOf, dead, type Fallback, service, startWorld, type Use } from './fallbacks.fixture.ts';
import { startGateway, startRawUpstream, startUpstream, type TestService } from './gateway.fixture.ts';

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

  test('a body goes there where no instance was there to get it', async () => {
    await using upstream = await startUpstream((request, response) => request.pipe(response));
    await using one = await startGateway();
    one.catalog.add({ url: '/spare' }, { endpoints: [upstream.url] });
    const use: Use = [{ kind: 'service', service: 'spare' }];
    one.catalog.add(service(use, { url: '/nobody', methods: ['POST'] }));
    one.catalog.add(service(use, { url: '/dead', methods: ['POST'] }), await dead());
    await one.follows();
    const asked = { method: 'POST', body: 'hello' };
    expect(await ask(one, '/nobody', asked)).toMatchObject({
      text: 'hello',
      mark: 'nobody; source=service; to=spare',
    });
    expect((await ask(one, '/dead', asked)).status).toBe(502); // some of it may be read already
  });

  test('the time of the whole exchange is that of the service that was asked', async () => {
    await using silent = await startRawUpstream(() => undefined);
    await using endless = await startRawUpstream((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    );
    await using one = await startGateway();
    const askedService = (spare: string): TestService => ({
      url: '/x',
      policy: { timeouts: { totalMs: 200 }, fallback: { use: [{ kind: 'service', service: spare }] } },
    });
    one.catalog.add(
      { url: '/silent', policy: { timeouts: { firstByteMs: 600_000 } } },
      { endpoints: [silent.url] },
    );
    one.catalog.add({ url: '/endless' }, { endpoints: [endless.url] });
    one.catalog.add(askedService('silent'), await dead());
    await one.follows();
    expect((await ask(one, '/x')).status).toBe(502);
    one.catalog.add(askedService('endless'));
    await one.follows();
    await expect(ask(one, '/x')).rejects.toThrow();
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
