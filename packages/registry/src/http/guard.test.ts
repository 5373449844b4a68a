// Story: `GET /v1/services` answered to any Host, so a web page could make its own name resolve to
// 127.0.0.1 (DNS rebinding), read the registry, and send writes of the browser's to it.
import { expect, test } from 'vitest';
import { isLoopbackName } from './guard.ts';
import { registrationOf, startApi } from './test-api.ts';

test.each([
  'localhost',
  'LOCALHOST:3100',
  'reg.localhost',
  'a.b.localhost:1',
  '127.0.0.1',
  '127.0.0.1:65535',
  '127.9.8.7',
  '[::1]',
  '[::1]:3100',
])('%s is a loopback name', (host) => {
  expect(isLoopbackName(host)).toBe(true);
});

test.each([
  '',
  ':3100',
  'evil.example',
  'localhost.evil.example',
  'localhost.',
  '.localhost',
  'xlocalhost',
  '127.0.0.1.evil.example',
  '127.0.0.256',
  '127.1',
  '0.0.0.0',
  '10.0.0.1',
  '169.254.169.254',
  '[::]',
  '[::ffff:127.0.0.1]',
  '::1',
  'user@localhost',
  'localhost:1:2',
  'localhost/',
])('%s is no loopback name', (host) => {
  expect(isLoopbackName(host)).toBe(false);
});

const write = { method: 'PUT', path: '/v1/services/tickets/instances/one', body: registrationOf() };

test.each([
  { Origin: 'http://evil.example' },
  { Origin: 'null' },
  { Origin: 'https://127.0.0.1' },
  { Origin: 'http://127.0.0.1:1' },
  { Origin: 'http://localhost' },
  { Origin: '' },
  { 'Sec-Fetch-Site': 'cross-site' },
  { 'Sec-Fetch-Site': 'same-site' },
])('a browser page elsewhere (%o) may not write', async (headers: Record<string, string>) => {
  await using api = await startApi();
  for (const request of [
    write,
    { method: 'POST', path: '/v1/leases', body: {} },
    { method: 'DELETE', path: '/v1/services/tickets/instances/one?force=true' },
    { method: 'OPTIONS', path: '/v1/services' },
  ]) {
    const reply = await api.send({ ...request, headers });
    expect(reply.problem.code).toBe('origin_refused');
  }
  expect(api.registry.snapshot().services).toEqual([]);
});

test('a simple form post, which a browser sends without asking first, is refused by its type too', async () => {
  await using api = await startApi();
  const headers = { 'Content-Type': 'text/plain' };
  expect((await api.send({ ...write, headers })).problem.code).toBe('unsupported_media_type');
});

test("the API's own pages and programs may write", async () => {
  await using api = await startApi();
  for (const headers of [
    {},
    { Origin: api.url },
    { Origin: api.url, 'Sec-Fetch-Site': 'same-origin' },
    { 'Sec-Fetch-Site': 'none' },
  ]) {
    expect((await api.send({ ...write, headers })).status).toBeLessThan(300);
  }
});

test('a foreign page may ask and is told nothing that its browser would let it read', async () => {
  await using api = await startApi();
  const reply = await api.send({ path: '/v1/services', headers: { Origin: 'http://evil.example' } });
  expect(reply.status).toBe(200);
  expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
});

test.each([
  ['no Host', ''],
  ['two Hosts', 'Host: localhost\r\nHost: localhost\r\n'],
  ['two Hosts, one foreign', 'Host: localhost\r\nHost: evil.example\r\n'],
])('%s is 400 (RFC 9112 §3.2)', async (_, host) => {
  await using api = await startApi();
  const answer = await api.raw(`GET /v1/health HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain('"code":"malformed_request"');
});
