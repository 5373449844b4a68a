// Each stage and each code, by raw requests over real sockets.
import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  deadPort,
  definitionOf,
  instanceOf,
  parseAnswer,
  rawRequest,
  startGateway,
  startRawUpstream,
  startUpstream,
  testCatalog,
  tokenOf,
} from './gateway.fixture.ts';

const get = (target: string, ...lines: string[]) =>
  [
    'GET ',
    target,
    ' HTTP/1.1\r\nHost: x\r\nConnection: close\r\n',
    ...lines.map((line) => `${line}\r\n`),
    '\r\n',
  ].join('');

function problemOf({ body }: { body: string }): {
  code: string;
  status: number;
  detail: string;
  instance: string;
} {
  return JSON.parse(body);
}

/** Says what it got. */
function echo() {
  return startUpstream((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers }));
  });
}

describe('the way of a request', () => {
  test('a request is authenticated, authorized and forwarded; the answer comes back', async () => {
    await using upstream = await echo();
    await using one = await startGateway();
    one.catalog.add(
      { url: '/tickets', access: 'token', authorizedRoles: ['tickets-query'] },
      { id: 'tickets-1', endpoints: [`${upstream.url}/api/tickets`] },
    );
    await one.follows();
    const ask = (token?: string) =>
      fetch(`${one.url}/tickets/1?sort=asc&key=secret`, {
        headers: {
          traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
          ...(token && { Authorization: `Bearer ${token}` }),
        },
      });
    const none = await ask();
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="reg"']);
    expect(none.headers.get('content-type')).toBe('application/problem+json');
    const bad = await ask('a.b.c');
    expect([bad.status, await bad.json()]).toMatchObject([401, { code: 'token_invalid', status: 401 }]);
    expect(bad.headers.get('www-authenticate')).toContain('error="invalid_token"');
    const wrong = await ask(tokenOf('ann', ['other']));
    expect([wrong.status, await wrong.json()]).toMatchObject([403, { code: 'role_missing' }]);

    const token = tokenOf('ann', ['tickets-query']);
    const right = await ask(token);
    const seen = (await right.json()) as { headers: Record<string, string> };
    expect(right.status).toBe(200);
    expect(seen).toMatchObject({ method: 'GET', url: '/api/tickets/1?sort=asc&key=secret' });
    expect(seen.headers).toMatchObject({
      host: `127.0.0.1:${upstream.port}`,
      authorization: `Bearer ${token}`,
      'x-reg-subject': 'ann',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': `127.0.0.1:${one.port}`,
      'x-request-id': right.headers.get('x-request-id'),
    });

    await eventually(() => one.log.length === 4);
    expect(one.log.map(({ status }) => status)).toEqual([401, 401, 403, 200]);
    expect(one.log[3]).toMatchObject({
      method: 'GET',
      path: '/tickets/1',
      route: '/tickets',
      service: 'tickets',
      instance: 'tickets-1',
      subject: 'ann',
      attempts: 1,
      aborted: false,
      requestId: right.headers.get('x-request-id'),
      traceId: 'ab'.repeat(16),
    });
    expect(JSON.stringify(one.log)).not.toMatch(/secret|eyJ|a\.b\.c/); // no query, no token
    expect(one.errors).toEqual([]);
  });

  test.each([
    ['/tickets', '', '/tickets', '/'],
    ['/tickets', '/api/', '/tickets', '/api/'],
    ['/tickets', '/api/', '/tickets?a=b', '/api/?a=b'],
    ['/tickets', '/api/', '/tickets/1', '/api/1'],
    ['/tickets', '/api', '/tickets/', '/api/'],
    ['/tickets', '/api', '/tickets//1;x=y?a=/../b&c=%2F', '/api//1;x=y?a=/../b&c=%2F'],
    ['/tickets', '', '/tickets?x', '/?x'],
    ['/', '/api', '/a/b?c', '/api/a/b?c'],
    ['/', '', '/', '/'],
  ])('service %s at endpoint %j: %s is sent as %s', async (url, basePath, target, sent) => {
    await using upstream = await echo();
    await using one = await startGateway();
    one.catalog.add({ url }, { endpoints: [`${upstream.url}${basePath}`] });
    await one.follows();
    const answer = await rawRequest(one.port, get(target));
    expect(JSON.parse(answer.body.replace(/^[^{]*|[^}]*$/g, '')).url).toBe(sent);
  });

  test('a change while a request is under way does not touch it', async () => {
    let answerNow: (() => void) | undefined;
    await using upstream = await startUpstream((_request, response) => {
      answerNow = () => response.end('late');
    });
    await using one = await startGateway();
    one.catalog.add({ url: '/slow' }, { id: 'a', endpoints: [upstream.url] });
    await one.follows();
    const answer = fetch(`${one.url}/slow`);
    await eventually(() => answerNow);
    one.catalog.change({ kind: 'service-removed', service: 'slow' });
    await one.follows();
    expect((await fetch(`${one.url}/slow`)).status).toBe(404);
    answerNow?.();
    expect(await (await answer).text()).toBe('late');
  });
});

describe('what is refused at the door', () => {
  const post = (...lines: string[]) => `POST /open HTTP/1.1\r\nHost: x\r\n${lines.join('\r\n')}\r\n\r\n`;
  test.each<[number, string, string]>([
    [400, 'malformed_request', get('http://x/open')],
    [400, 'malformed_request', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    [400, 'malformed_request', get('/open/../secret')],
    [400, 'malformed_request', get('/open/%2e%2E/secret')],
    [400, 'malformed_request', get('/open%2fsecret')],
    [400, 'malformed_request', get('/open\\secret')],
    [400, 'malformed_request', get('/open#x')],
    [400, 'malformed_request', get('/caf\u00e9')],
    [400, 'malformed_request', get('/100%')],
    [400, 'malformed_request', 'GET /open HTTP/1.1\r\nConnection: close\r\n\r\n'],
    [400, 'malformed_request', get('/open', 'Host: y')],
    [400, 'malformed_request', post('Content-Length: 5', 'Content-Length: 6')],
    [400, 'malformed_request', post('Content-Length: 5', 'Transfer-Encoding: chunked')],
    [400, 'malformed_request', post('Connection: close', 'Transfer-Encoding: gzip, chunked')],
    [400, 'malformed_request', post('Transfer-Encoding: xchunked')],
    [400, 'malformed_request', 'GET /open HTTP/1.1\r\nHost : x\r\n\r\n'],
    [400, 'malformed_request', 'GET /open HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n'],
    [400, 'malformed_request', 'nonsense\r\n\r\n'],
    [400, 'malformed_request', 'GET /open HTTP/2.0\r\nHost: x\r\n\r\n'],
    [405, 'method_not_allowed', 'TRACE /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    [405, 'method_not_allowed', 'CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n'],
    [413, 'body_too_large', post('Content-Length: 1001', 'Connection: close')],
    [431, 'head_too_large', get('/open', `X-Big: ${'a'.repeat(20_000)}`)],
    [431, 'head_too_large', get(`/open/${'a'.repeat(9_000)}`)],
    [404, 'route_not_found', get('/_reg/else')],
    [404, 'route_not_found', get('/other')],
  ])('%i %s: %j', async (status, code, bytes) => {
    await using upstream = await echo();
    await using one = await startGateway({ maxBodyBytes: 1_000 });
    one.catalog.add({ url: '/open' }, { endpoints: [upstream.url] });
    await one.follows();
    const answer = await rawRequest(one.port, bytes);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json']);
    expect(problemOf(answer)).toMatchObject({ code, status });
    expect(problemOf(answer).instance).toBe(`urn:uuid:${answer.headers['x-request-id']}`);
    if (status === 405) expect(answer.headers.allow).toContain('GET');
    expect((await fetch(`${one.url}/open`)).status).toBe(200); // and it goes on
  });

  test('a chunked body is counted while it comes', async () => {
    await using upstream = await startUpstream((request, response) => {
      request.resume().on('end', () => response.end());
    });
    await using one = await startGateway({ maxBodyBytes: 1_000 });
    one.catalog.add({ url: '/open' }, { endpoints: [upstream.url] });
    await one.follows();
    const chunk = `200\r\n${'a'.repeat(0x200)}\r\n`;
    const head = 'POST /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect((await rawRequest(one.port, `${head}${chunk}0\r\n\r\n`)).status).toBe(200);
    const long = await rawRequest(one.port, `${head}${chunk}${chunk}0\r\n\r\n`);
    expect([long.status, problemOf(long).code]).toEqual([413, 'body_too_large']);
  });

  test('an Upgrade that is not spoken is an ordinary request (RFC 9110 §7.8)', async () => {
    await using upstream = await echo();
    await using one = await startGateway();
    one.catalog.add({ url: '/open' }, { endpoints: [upstream.url] });
    await one.follows();
    const socket = net.connect(one.port, '127.0.0.1');
    socket.write('GET /open HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [chunk] = await once(socket, 'data');
    socket.destroy();
    expect(parseAnswer(chunk.toString()).status).toBe(200);
    expect(chunk.toString()).not.toMatch(/websocket/i);
  });

  // Story: closing with unread bytes resets the connection, and the client never reads why.
  test('who uploads much to where he may not reads why before the connection ends', async () => {
    await using one = await startGateway();
    one.catalog.add({ url: '/closed', access: 'token' }, { endpoints: ['http://127.0.0.1:1'] });
    await one.follows();
    const megabyte = 'a'.repeat(512 * 1024);
    const answer = await rawRequest(
      one.port,
      `POST /closed HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n${megabyte}`,
    );
    expect([answer.status, answer.headers.connection]).toEqual([401, 'close']);
    expect(problemOf(answer).code).toBe('token_missing');
  });

  test('after a refusal of a short body the connection goes on', async () => {
    await using upstream = await echo();
    await using one = await startGateway();
    one.catalog.add({ url: '/open' }, { endpoints: [upstream.url] });
    await one.follows();
    const first = 'POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello';
    const answer = await rawRequest(one.port, first + get('/open'));
    expect(answer.text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404', 'HTTP/1.1 200']);
  });

  test('a problem answered to HEAD has its head alone', async () => {
    await using one = await startGateway();
    await one.gateway.ready();
    const answer = await rawRequest(
      one.port,
      'HEAD /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect([answer.status, answer.body]).toEqual([404, '']);
    expect(Number(answer.headers['content-length'])).toBeGreaterThan(100);
  });
});

describe('services and what they have', () => {
  test('before the first snapshot everything is 503, never 404', async () => {
    const catalog = testCatalog();
    catalog.away = true;
    await using one = await startGateway({ catalog });
    const answer = await rawRequest(one.port, get('/tickets'));
    expect([answer.status, answer.headers['retry-after'], problemOf(answer).code]).toEqual([
      503,
      '1',
      'catalog_unavailable',
    ]);
    expect(one.gateway.health()).toMatchObject({ ready: { ok: false }, position: undefined });
    catalog.away = false;
    await one.gateway.ready();
    expect((await rawRequest(one.port, get('/tickets'))).status).toBe(404);
  });

  test('down or draining is 503 with Retry-After, after the caller is known; removed is 404', async () => {
    await using upstream = await echo();
    await using one = await startGateway();
    const service = { url: '/tickets', access: 'token' as const };
    const instance = { id: 'a', endpoints: [upstream.url] };
    one.catalog.add(service, instance);
    await one.follows();
    const ask = () => rawRequest(one.port, get('/tickets', `Authorization: Bearer ${tokenOf('ann', [])}`));
    expect((await ask()).status).toBe(200);

    one.catalog.change({
      kind: 'instance-drained',
      service: 'tickets',
      instance: instanceOf({ ...instance, state: 'draining' }),
    });
    await one.follows();
    const draining = await ask();
    expect([draining.status, draining.headers['retry-after'], problemOf(draining).code]).toEqual([
      503,
      '1',
      'no_instances',
    ]);

    one.catalog.change({ kind: 'instance-expired', service: 'tickets', instanceId: 'a', generation: 1 });
    await one.follows();
    expect([(await ask()).status, (await rawRequest(one.port, get('/tickets'))).status]).toEqual([503, 401]);

    one.catalog.change({ kind: 'service-removed', service: 'tickets' });
    await one.follows();
    expect((await ask()).status).toBe(404);
  });

  test('the first endpoint that fits the method is used; none is 405 with Allow; only amqp is 501', async () => {
    await using upstream = await echo();
    await using one = await startGateway();
    const read = { type: 'http-get' as const, url: `${upstream.url}/read` };
    const write = { type: 'http-post' as const, url: `${upstream.url}/write` };
    const queue = { type: 'amqp' as const, url: 'amqp://127.0.0.1/q' };
    one.catalog.add({ url: '/both' }, { id: 'a', endpoints: [queue, read, write] });
    one.catalog.add({ url: '/queue' }, { id: 'b', endpoints: [queue] });
    one.catalog.add({ url: '/mixed' }, { id: 'c', endpoints: [queue] }, { id: 'd', endpoints: [read] });
    await one.follows();
    const ask = async (method: string, path: string) => {
      const answer = await fetch(`${one.url}${path}`, { method });
      const text = await answer.text();
      const { url, code } = text === '' ? {} : JSON.parse(text);
      return [answer.status, url ?? code, answer.headers.get('allow')];
    };
    expect(await ask('GET', '/both')).toEqual([200, '/read', null]);
    expect((await ask('HEAD', '/both'))[0]).toBe(200);
    expect(await ask('POST', '/both')).toEqual([200, '/write', null]);
    expect(await ask('DELETE', '/both')).toEqual([405, 'method_not_allowed', 'GET, HEAD, POST']);
    expect(await ask('GET', '/queue')).toEqual([501, 'endpoint_type_unsupported', null]);
    expect(await ask('POST', '/mixed')).toEqual([405, 'method_not_allowed', 'GET, HEAD']);
    expect(await ask('GET', '/mixed')).toEqual([200, '/read', null]);
    expect(await ask('GET', '/mixed')).toEqual([200, '/read', null]); // the queue has no turn
  });

  test('instances get requests in turn', async () => {
    await using a = await startUpstream((_request, response) => response.end('a'));
    await using b = await startUpstream((_request, response) => response.end('b'));
    await using one = await startGateway();
    one.catalog.add({ url: '/x' }, { endpoints: [a.url] }, { endpoints: [b.url] });
    await one.follows();
    let text = '';
    for (let turn = 0; turn < 10; turn++) text += await (await fetch(`${one.url}/x`)).text();
    expect(text).toMatch(/^(ab){5}$|^(ba){5}$/);
  });

  test('a fault of ours is 500, told to the operator and not to the client', async () => {
    const catalog = testCatalog();
    catalog.add({ url: '/x', access: 'token' }, { endpoints: [`http://127.0.0.1:${await deadPort()}`] });
    const verify = () => {
      throw new TypeError('a secret detail');
    };
    await using one = await startGateway({ catalog, tokens: { verify, fault: undefined, close: verify } });
    await one.follows();
    const answer = await rawRequest(one.port, get('/x', 'Authorization: Bearer a.b.c'));
    expect([answer.status, problemOf(answer).code]).toEqual([500, 'internal']);
    expect(answer.text).not.toContain('secret detail');
    expect(one.errors).toEqual([expect.objectContaining({ message: 'a secret detail' })]);
  });
});

describe('start and end', () => {
  test('a port in use rejects with the error of node', async () => {
    await using one = await startGateway();
    await expect(one.gateway.listen({ port: one.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('close finishes what is in flight and takes no more', async () => {
    let answerNow: (() => void) | undefined;
    await using upstream = await startUpstream((_request, response) => {
      answerNow = () => response.end('to the end');
    });
    const one = await startGateway();
    one.catalog.add({ url: '/slow' }, { endpoints: [upstream.url] });
    await one.follows();
    const answer = fetch(`${one.url}/slow`);
    await eventually(() => answerNow);
    const closed = one.gateway.close();
    await eventually(() =>
      fetch(`${one.url}/slow`).then(
        () => false,
        () => true,
      ),
    );
    answerNow?.();
    expect(await (await answer).text()).toBe('to the end');
    expect((await answer).headers.get('connection')).toBe('close');
    await closed;
  });

  test('handler() serves under any node server', async () => {
    await using upstream = await echo();
    await using one = await startGateway();
    one.catalog.add({ url: '/open' }, { endpoints: [upstream.url] });
    await one.follows();
    const server = createServer(one.gateway.handler()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect((await rawRequest(port, get('/open'))).status).toBe(200);
    server.close();
  });

  test('the registry hears what is applied', async () => {
    await using one = await startGateway();
    one.catalog.change({ kind: 'service-updated', service: definitionOf({ url: '/x' }) });
    await one.follows();
    await eventually(() => one.catalog.appliedPositions.at(-1)?.revision === one.catalog.position.revision);
  });

  test('a raw upstream that never answers is left alone when the gateway closes', async () => {
    await using upstream = await startRawUpstream(() => undefined);
    const one = await startGateway({ upstreamTimeoutMs: 1 });
    one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
    await one.follows();
    const answer = await rawRequest(one.port, get('/x'));
    expect([answer.status, problemOf(answer).code]).toEqual([504, 'upstream_timeout']);
    await one.gateway.close();
    await eventually(() => upstream.sockets.every((socket) => socket.destroyed || socket.readableEnded));
  });
});
