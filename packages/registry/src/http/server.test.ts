// What node's parser or our limits refuse is answered with a problem as well; and an end is an end.
import { once } from 'node:events';
import { connect } from 'node:net';
import { isRegError } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { createMemoryStore } from '../memory-store.ts';
import { createRegistry, type Registry } from '../registry.ts';
import { createRegistryServer } from './server.ts';
import { registrationOf, startApi } from './test-api.ts';

const host = 'Host: localhost\r\n';
const json = 'Content-Type: application/json\r\n';
const target = 'PUT /v1/services/tickets/instances/one HTTP/1.1\r\n';

test.each([
  ['no HTTP at all', 'HELO there\r\n\r\n', 400, 'malformed_request'],
  ['an unknown method', `BREW /v1/health HTTP/1.1\r\n${host}\r\n`, 400, 'malformed_request'],
  ['a space before a colon', `GET /v1/health HTTP/1.1\r\nHost : localhost\r\n\r\n`, 400, 'malformed_request'],
  ['a NUL in a header', `GET /v1/health HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, 400, 'malformed_request'],
  [
    'bare line feeds in a header',
    `GET /v1/health HTTP/1.1\r\n${host}X: a\nY: b\r\n\r\n`,
    400,
    'malformed_request',
  ],
  [
    'two lengths',
    `${target}${host}${json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    400,
    'malformed_request',
  ],
  [
    'a length and chunks',
    `${target}${host}${json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
    400,
    'malformed_request',
  ],
  [
    'a coding we do not know',
    `${target}${host}${json}Transfer-Encoding: gzip\r\n\r\n{}`,
    400,
    'malformed_request',
  ],
  [
    'a chunk of no size',
    `${target}${host}${json}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    400,
    'malformed_request',
  ],
  ['a negative length', `${target}${host}${json}Content-Length: -2\r\n\r\n{}`, 400, 'malformed_request'],
  [
    'a target in absolute form',
    `GET http://localhost/v1/health HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    400,
    'malformed_request',
  ],
  ['a target of a star', `OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 400, 'malformed_request'],
  ['a fragment', `GET /v1/health#x HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 400, 'malformed_request'],
  ['a backslash', `GET /v1\\health HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 400, 'malformed_request'],
  [
    'bytes beyond ASCII in the path',
    `GET /v1/services/é HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    400,
    'malformed_request',
  ],
  [
    'a stray percent',
    `GET /v1/services/%2 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    400,
    'malformed_request',
  ],
  [
    'percent-encoded bytes that are no UTF-8',
    `GET /v1/services/%ff HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    400,
    'malformed_request',
  ],
  [
    'a head of 17 KiB',
    `GET /v1/health HTTP/1.1\r\n${host}X: ${'a'.repeat(17_000)}\r\n\r\n`,
    431,
    'head_too_large',
  ],
  ['a target of 17 KiB', `GET /${'a'.repeat(17_000)} HTTP/1.1\r\n${host}\r\n`, 431, 'head_too_large'],
  ['a tunnel', `CONNECT localhost:1 HTTP/1.1\r\n${host}\r\n`, 405, 'method_not_allowed'],
  ['TRACE', `TRACE /v1/health HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 405, 'method_not_allowed'],
])('%s: %$', async (_, text, status, code) => {
  await using api = await startApi();
  const answer = await api.raw(text);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer).toContain(`"code":"${code}"`);
  const [, id] = /x-request-id: (\S+)/i.exec(answer) ?? [];
  expect(answer).toContain(`"instance":"urn:uuid:${id}"`);
  await eventually(() => api.lines.some((line) => line.requestId === id));
});

// Story: a limit on Content-Length alone let a chunked body grow until the process had no memory.
test('a chunked body over the limit is answered with 413 before it ends, and the connection is closed', async () => {
  await using api = await startApi();
  const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
  const answer = await api.raw(
    `${target}${host}${json}Transfer-Encoding: chunked\r\n\r\n`,
    ...Array(40).fill(chunk),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('"code":"body_too_large"');
  expect(answer.toLowerCase()).toContain('connection: close');
});

// Story: closing while bytes still came reset the connection, and the caller saw ECONNRESET instead of 413.
test('a caller that reads only after it has sent all of a large body still gets the answer', async () => {
  await using api = await startApi();
  const size = 16 * 1024 * 1024; // more than sockets hold
  const socket = connect(api.port, '127.0.0.1');
  const sent = once(socket, 'finish');
  socket.end(`${target}${host}${json}Content-Length: ${size}\r\n\r\n${' '.repeat(size)}`);
  await sent;
  let answer = '';
  for await (const chunk of socket.setEncoding('utf8')) answer += chunk;
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
});

test('a length over the limit is refused before a byte of the body is asked for', async () => {
  await using api = await startApi();
  const answer = await api.raw(
    `${target}${host}${json}Content-Length: 300000\r\nExpect: 100-continue\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).not.toContain('100 Continue');
});

test('a body within the limit is asked for where the caller waits to be asked (RFC 9110 §10.1.1)', async () => {
  await using api = await startApi();
  const body = JSON.stringify(registrationOf());
  const head = `${target}${host}${json}Content-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
  const answer = await api.raw(head, body);
  expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

test('the limit of 256 KiB is exact, and renewals have 1 MiB', async () => {
  await using api = await startApi();
  const put = (size: number) => ({
    method: 'PUT',
    path: '/v1/services/a/instances/a',
    body: `{}${' '.repeat(size - 2)}`,
  });
  expect((await api.send(put(262_144))).problem.code).toBe('invalid_request');
  expect((await api.send(put(262_145))).problem.code).toBe('body_too_large');
  const post = (size: number) => ({ ...put(size), method: 'POST', path: '/v1/leases' });
  expect((await api.send(post(1_048_576))).problem.code).toBe('invalid_request');
  expect((await api.send(post(1_048_577))).problem.code).toBe('body_too_large');
});

test('a connection serves on after a refused request with a small body', async () => {
  await using api = await startApi();
  const bad = `POST /nowhere HTTP/1.1\r\n${host}${json}Content-Length: 2\r\n\r\n{}`;
  const answer = await api.raw(bad, `GET /v1/health HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404', 'HTTP/1.1 200']);
});

test('garbage after a request under way never lands inside its answer', async () => {
  await using api = await startApi();
  const answer = await api.raw(`GET /v1/changes HTTP/1.1\r\n${host}\r\n`, 'garbage\r\n\r\n');
  expect(answer).not.toContain('HTTP/1.1 400');
});

test('a caller that leaves in the middle of its body is no fault of ours', async () => {
  await using api = await startApi();
  const socket = connect(api.port, '127.0.0.1');
  socket.write(`${target}${host}${json}Content-Length: 100\r\n\r\n{`);
  await once(socket, 'connect');
  await eventually(async () => (await api.send({ path: '/v1/health' })).status === 200);
  socket.destroy();
  const mine = () => api.lines.find((line) => line.kind === 'access' && line.method === 'PUT');
  expect(await eventually(mine)).toMatchObject({ status: 0 });
  expect(api.lines.filter(({ kind }) => kind === 'error')).toEqual([]);
});

test('the log has one line per request, with neither query nor body', async () => {
  await using api = await startApi();
  await api.send({ path: '/v1/services?secret=1' });
  const [line] = await eventually(
    () => api.lines,
    (lines) => lines.length === 1,
  );
  expect(line).toMatchObject({ kind: 'access', method: 'GET', path: '/v1/services', status: 400 });
});

test('a caller cannot choose the id of its request', async () => {
  await using api = await startApi();
  const reply = await api.send({ path: '/v1/health', headers: { 'X-Request-Id': 'mine' } });
  expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test('every reply forbids sniffing and names no software', async () => {
  await using api = await startApi();
  for (const path of ['/v1/health', '/nowhere']) {
    const { headers } = await api.send({ path });
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache' });
    expect(headers).not.toHaveProperty('x-powered-by');
  }
});

test('closing ends idle connections and streams at once, and may be asked twice', async () => {
  await using api = await startApi();
  const idle = connect(api.port, '127.0.0.1');
  idle.write(`GET /v1/health HTTP/1.1\r\n${host}\r\n`);
  const stream = connect(api.port, '127.0.0.1');
  stream.write(`GET /v1/changes HTTP/1.1\r\n${host}\r\n`);
  await Promise.all([once(idle, 'data'), once(stream, 'data')]);
  stream.resume();
  const ended = Promise.all([once(idle, 'close'), once(stream, 'close')]);
  await Promise.all([api.server.close(), api.server.close(), ended]);
});

test('an answer under way when the server closes is given', async () => {
  await using api = await startApi();
  await api.send({ method: 'PUT', path: '/v1/services/a/instances/a', body: registrationOf() });
  const stopFollowing = new AbortController();
  const watch = api.registry
    .changes(api.registry.position(), stopFollowing.signal, 'slow')
    [Symbol.asyncIterator]();
  void watch.next();
  const path = '/v1/services/a/instances/a/drain?force=true&waitFor=gateways&wait=60s';
  const reply = api.send({ method: 'PUT', path });
  await eventually(() => api.registry.getService('a').instances[0]?.state === 'draining');
  const closed = api.server.close();
  api.registry.reportApplied('slow', api.registry.position());
  expect((await reply).status).toBe(200);
  stopFollowing.abort();
  await closed;
});

test('it listens on loopback only: there are no credentials', async () => {
  const registry = createRegistry({ store: createMemoryStore() });
  for (const other of ['0.0.0.0', '::', '192.168.1.1', 'example.org']) {
    const refused = await createRegistryServer({ registry, host: other, port: 0 }).catch((error) => error);
    expect(isRegError(refused) && refused.code).toBe('invalid_request');
  }
  await registry.close();
});

test('a port in use is the error of listening, which names the port', async () => {
  await using api = await startApi();
  const again = createRegistryServer({ registry: api.registry, port: api.port });
  await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE', port: api.port });
});

test.each(['::1', 'localhost'])('it listens on %s too, and its url works', async (name) => {
  const registry = createRegistry({ store: createMemoryStore() });
  const server = await createRegistryServer({ registry, host: name, port: 0 });
  expect((await fetch(`${server.url}/v1/health`)).status).toBe(200);
  await server.close();
  await registry.close();
});

test('a fault of ours is told to the log with the id of the request, and not to the caller', async () => {
  const fault = new Error('secret: hunter2');
  const between = (registry: Registry): Registry => ({
    ...registry,
    health() {
      throw fault;
    },
  });
  await using api = await startApi({ between });
  const { text, headers } = await api.send({ path: '/v1/health' });
  expect(text).not.toContain('hunter2');
  expect(api.lines).toContainEqual({ kind: 'error', requestId: headers['x-request-id'], error: fault });
});
