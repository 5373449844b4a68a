// Endpoints as parts of one answer, through a gateway to upstreams on real sockets.
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Endpoint } from '@reg/schema';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  deadPort,
  startGateway,
  startRawUpstream,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  tokenOf,
} from './gateway.fixture.ts';
import { maxPartBytes } from './parts/part-fault.ts';

const json = { 'Content-Type': 'application/json' };

/** What each path of the upstream answers; `silent` never does. */
const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/ticket': (_request, response) => response.writeHead(200, json).end('{"id":1,"state":"open"}'),
  '/state': (_request, response) => response.writeHead(200, json).end('{"state":"closed","by":"ann"}'),
  '/list': (_request, response) =>
    response.writeHead(200, { 'Content-Type': 'application/vnd.x+json; charset=utf-8' }).end('[1,2]'),
  '/proto': (_request, response) => response.writeHead(200, json).end('{"__proto__":{"polluted":true}}'),
  '/404': (_request, response) => response.writeHead(404, json).end('{"code":"none"}'),
  '/html': (_request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('{}'),
  '/invalid': (_request, response) => response.writeHead(200, json).end('{"a":'),
  '/latin1': (_request, response) => response.writeHead(200, json).end(Buffer.from('{"a":"é"}', 'latin1')),
  '/gzip': (_request, response) => response.writeHead(200, { ...json, 'Content-Encoding': 'gzip' }).end('x'),
  '/large': (_request, response) =>
    response.writeHead(200, json).end(JSON.stringify({ text: 'x'.repeat(maxPartBytes) })),
  '/full': (_request, response) =>
    response.writeHead(200, json).end(JSON.stringify({ text: 'x'.repeat(maxPartBytes - 11) })),
  '/dies': (_request, response) => {
    response.writeHead(200, { ...json, 'Content-Length': '100' });
    response.write('{"a":', () => response.destroy());
  },
  '/drops': (request) => void request.socket.destroy(),
  '/hangs': (_request, response) => void response.writeHead(200, json).write('{"a":'),
  '/silent': () => undefined,
  '/echo': ({ method, url, headers }, response) =>
    response
      .writeHead(200, { ...json, 'Set-Cookie': 'a=b', ETag: '"1"' })
      .end(JSON.stringify({ method, url, headers })),
};

const startParts = () =>
  startUpstream((request, response) => {
    const [, first = ''] = /^(\/[^/?]*)/.exec(request.url ?? '') ?? [];
    answers[first]?.(request, response);
  });

/** `ticket`, or `list as tickets`, or `http-post echo as posted`. */
function endpointsAt({ url }: TestUpstream, parts: readonly string[]): Endpoint[] {
  return parts.map((part) => {
    const [, type = 'http', path, as] = /^(?:(http\S*) )?(\S+)(?: as (.+))?$/.exec(part) ?? [];
    return { type: type as Endpoint['type'], url: `${url}/${path}`, ...(as !== undefined && { as }) };
  });
}

async function register(one: TestGateway, endpoints: Endpoint[], partial?: 'allow' | 'refuse') {
  const merge = true;
  one.catalog.add({ url: '/all' }, { id: 'one', merge, ...(partial && { partial }), endpoints });
  await one.follows();
}

async function ask(one: TestGateway, path = '/all', options: RequestInit = {}) {
  const response = await fetch(one.url + path, options);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    partial: response.headers.get('x-reg-partial'),
  };
}

describe('a merged answer', () => {
  test('is one object, in the order of the endpoints, later keys winning; a list stands under its name', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['ticket', 'list as tickets', 'state']));
    const { status, headers, text, partial } = await ask(one);
    expect([status, text]).toEqual([200, '{"id":1,"state":"closed","tickets":[1,2],"by":"ann"}']);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-length')).toBe(String(text.length));
    expect(partial).toBeNull();
    await eventually(() => one.log.length === 1);
    expect(one.log[0]).toMatchObject({ status: 200, instance: 'one', attempts: 1, bytes: text.length });
  });

  test('one endpoint is enough, and __proto__ is a key like others', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['proto']));
    expect((await ask(one)).text).toBe('{"__proto__":{"polluted":true}}');
  });

  test('each part gets what a forward gets, by its own method, and is asked for whole, plain JSON', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(
      one,
      endpointsAt(upstream, ['echo as a', 'http-get echo/base as b', 'http-post echo as c']),
    );
    const headers = {
      Accept: 'text/html',
      'Accept-Encoding': 'gzip',
      Range: 'bytes=0-1',
      'If-None-Match': '"1"',
      'X-Reg-Roles': 'forged',
      'X-Own': 'kept',
    };
    for (const method of ['GET', 'POST']) {
      const answer = await ask(one, '/all/1?x=%20y', { method, headers });
      const { a, b, c } = JSON.parse(answer.text);
      expect([a.method, b.method, c.method]).toEqual([method, 'GET', 'POST']);
      expect([a.url, b.url, c.url]).toEqual(['/echo/1?x=%20y', '/echo/base/1?x=%20y', '/echo/1?x=%20y']);
      for (const part of [a, b, c]) {
        expect(part.headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'identity' });
        expect(part.headers).toMatchObject({ 'x-own': 'kept', 'x-forwarded-for': '127.0.0.1' });
        for (const gone of ['range', 'if-none-match', 'x-reg-roles'])
          expect(part.headers).not.toHaveProperty(gone);
      }
      expect(answer.headers.get('set-cookie')).toBeNull(); // of a part: whose would it be
      expect(answer.headers.get('etag')).toBeNull();
    }
  });

  test('HEAD is answered as GET would be, without the body', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['ticket', '404']), 'allow');
    const { status, headers, text, partial } = await ask(one, '/all', { method: 'HEAD' });
    expect([status, text, headers.get('content-length')]).toEqual([200, '', '23']);
    expect(partial).toBe('endpoints.1; reason=status-404');
  });

  test('other methods are 405, and a body is 400', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['ticket', 'state']));
    const put = await ask(one, '/all', { method: 'PUT' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    const post = await ask(one, '/all', { method: 'POST', body: '{}' });
    expect([post.status, JSON.parse(post.text).code]).toEqual([400, 'invalid_request']);
  });

  test('roles are asked before any part is', async () => {
    let asked = 0;
    await using upstream = await startUpstream((_request, response) => {
      asked++;
      response.writeHead(200, json).end('{}');
    });
    await using one = await startGateway();
    const endpoints = endpointsAt(upstream, ['a', 'b']);
    one.catalog.add(
      { url: '/all', access: 'token', authorizedRoles: ['reader'] },
      { id: 'one', merge: true, endpoints },
    );
    await one.follows();
    const by = (...roles: string[]) => ({ headers: { Authorization: `Bearer ${tokenOf('ann', roles)}` } });
    expect((await ask(one)).status).toBe(401);
    expect((await ask(one, '/all', by('other'))).status).toBe(403);
    expect(asked).toBe(0);
    expect((await ask(one, '/all', by('reader'))).status).toBe(200);
    expect(asked).toBe(2);
  });
});

describe('a part that fails', () => {
  const faults = [
    ['404', 'status-404'],
    ['html', 'not-json'],
    ['invalid', 'not-json'],
    ['latin1', 'not-json'],
    ['list', 'not-an-object'], // it has no name
    ['gzip', 'encoded'],
    ['large', 'too-large'],
    ['dies', 'broken'],
    ['drops', 'broken'],
    ['hangs', 'timeout'],
    ['silent', 'timeout'],
  ] as const;

  test.each(faults)('%s is left out, or refuses the whole: reason=%s', async (path, reason) => {
    await using upstream = await startParts();
    // A slow machine is no reason for a timeout where another fault is meant.
    await using one = await startGateway({ upstreamTimeoutMs: reason === 'timeout' ? 300 : 30_000 });
    const endpoints = endpointsAt(upstream, ['ticket', path]);
    await register(one, endpoints, 'allow');
    const allowed = await ask(one);
    expect([allowed.status, allowed.text]).toEqual([200, '{"id":1,"state":"open"}']);
    expect(allowed.partial).toBe(`endpoints.1; reason=${reason}`);
    await eventually(() => one.log.length === 1);
    expect(one.log[0]).toMatchObject({ status: 200, partial: allowed.partial });

    await register(one, endpoints); // refuse is the default
    const refused = await ask(one);
    expect([refused.status, refused.partial]).toEqual([502, `endpoints.1; reason=${reason}`]);
    expect(JSON.parse(refused.text)).toMatchObject({
      code: 'upstream_failed',
      detail: `parts of the answer failed: endpoints.1; reason=${reason}`,
    });
  });

  test('several are listed in order, by name, percent-encoded; one that nobody serves is unreachable', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    const dead: Endpoint = { type: 'http', url: `http://127.0.0.1:${await deadPort()}/x`, as: 'größe, 2' };
    await register(one, [dead, ...endpointsAt(upstream, ['ticket', '404 as customer', '404'])], 'allow');
    const { text, partial } = await ask(one);
    expect(JSON.parse(text)).toEqual({ id: 1, state: 'open' });
    expect(partial).toBe(
      'gr%C3%B6%C3%9Fe%2C%202; reason=unreachable, customer; reason=status-404, endpoints.3; reason=status-404',
    );
  });

  test('all of them: 502, also where some would be allowed to', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['404', 'html']), 'allow');
    const { status, partial } = await ask(one);
    expect([status, partial]).toEqual([502, 'endpoints.0; reason=status-404, endpoints.1; reason=not-json']);
  });

  test('a part of exactly the limit is taken', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['full']));
    const { status, text } = await ask(one);
    expect([status, text.length]).toEqual([200, maxPartBytes]);
  });

  test('an instance that was not reached at all: the next one is asked', async () => {
    await using upstream = await startParts();
    await using one = await startGateway();
    const dead = { url: `http://127.0.0.1:${await deadPort()}` } as TestUpstream;
    const parts = ['ticket', 'state'];
    one.catalog.add(
      { url: '/all' },
      { id: 'dead', merge: true, endpoints: endpointsAt(dead, parts) },
      { id: 'living', merge: true, endpoints: endpointsAt(upstream, parts) },
    );
    await one.follows();
    for (let times = 0; times < 4; times++) expect((await ask(one)).status).toBe(200);
    expect(one.log.some(({ attempts }) => attempts === 2)).toBe(true);

    await register(one, endpointsAt(dead, parts));
    one.catalog.change({
      kind: 'instance-unregistered',
      service: 'all',
      instanceId: 'living',
      generation: 1,
    });
    one.catalog.change({ kind: 'instance-unregistered', service: 'all', instanceId: 'dead', generation: 1 });
    await one.follows();
    const none = await ask(one);
    expect([none.status, JSON.parse(none.text).code]).toEqual([502, 'upstream_unreachable']);
  });

  // Story: an upstream closes an idle connection at the moment that it is used again.
  test('a kept connection that closes as it is used is replaced by a fresh one', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}';
    let requests = 0;
    await using upstream = await startRawUpstream((socket) => {
      if (++requests === 2) socket.destroy();
      else socket.write(answer);
    });
    await using one = await startGateway();
    await register(one, endpointsAt(upstream, ['x']));
    for (let times = 0; times < 2; times++) expect((await ask(one)).text).toBe('{"a":1}');
    expect([requests, upstream.connections]).toEqual([3, 2]);
  });
});

test('a client that leaves cancels all parts', async () => {
  let came = 0;
  let closed = 0;
  await using upstream = await startUpstream((request, response) => {
    came++;
    if (request.url === '/begun') response.writeHead(200, json).write('{"a":');
    response.on('close', () => closed++);
  });
  await using one = await startGateway();
  await register(one, endpointsAt(upstream, ['begun', 'silent', 'silent as b']), 'allow');
  const request = httpGet(`${one.url}/all`);
  request.on('error', () => undefined);
  await once(request, 'socket');
  await eventually(() => came === 3);
  request.destroy();
  await eventually(() => closed === 3);
  await eventually(() => one.log.length === 1);
  expect(one.log[0]).toMatchObject({ aborted: true, status: 0, partial: undefined });
});
