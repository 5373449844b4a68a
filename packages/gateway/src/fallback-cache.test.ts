// The last good answer: what is kept, whose it is, and that it stands in for no longer than it must.
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ask, callerOf, service, startWorld, type Use } from './fallbacks.fixture.ts';
import { startGateway, startUpstream, type TestService } from './gateway.fixture.ts';

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
    [{ Vary: 'X-Reg-Subject' }],
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

  // Story: browsers ask for what they have with If-None-Match. 304s left the kept answer to grow old, though the
  // service had just said that it holds.
  test('a 304 says that it still holds; one of another version does not', async () => {
    let [time, etag, fails] = [0, '"1"', false];
    await using upstream = await startUpstream((request, response) => {
      if (fails) request.socket.destroy();
      else if (request.headers['if-none-match'] === etag) response.writeHead(304, { ETag: etag }).end();
      else response.writeHead(200, { ETag: etag }).end(`version ${etag}`);
    });
    await using one = await startGateway({ now: () => time });
    one.catalog.add(service([{ kind: 'cache', maxAgeMs: 60_000 }]), { endpoints: [upstream.url] });
    await one.follows();
    const conditional = () => ask(one, '/tickets', { headers: { 'if-none-match': etag } });
    await ask(one, '/tickets');
    time += 50_000;
    expect((await conditional()).status).toBe(304);
    time += 50_000;
    fails = true;
    expect(await ask(one, '/tickets')).toMatchObject({
      text: 'version "1"',
      mark: 'tickets; source=cache; age=50',
    });
    [etag, fails] = ['"2"', false];
    expect((await conditional()).status).toBe(304);
    time += 20_000;
    fails = true;
    expect((await ask(one, '/tickets')).status).toBe(502);
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
