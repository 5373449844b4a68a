// Reads that wait, over HTTP: `seen`, and the long poll for whoever has only curl.
import { get } from 'node:http';
import { formatPosition } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import type { Registry } from '../registry.ts';
import { registrationOf, startApi, type TestApi } from './test-api.ts';

const path = '/v1/services/tickets/instances/one';
const listings = ['/v1/services', '/v1/services/tickets'] as const;
const register = (api: TestApi, version: string) =>
  api.send({ method: 'PUT', path, body: registrationOf({ version }) });
const now = ({ registry }: TestApi) => formatPosition(registry.position());

/** Counts the reads that wait. */
function watched() {
  const waiting = { count: 0 };
  const counted = async (wait: Promise<void>) => {
    waiting.count += 1;
    await wait.finally(() => {
      waiting.count -= 1;
    });
  };
  const between = (registry: Registry): Registry => ({
    ...registry,
    seen: (...args) => counted(registry.seen(...args)),
    newerThan: (...args) => counted(registry.newerThan(...args)),
  });
  return { waiting, between };
}

test.each([...listings, '/v1/snapshot'])('GET %s shows what its reader has seen', async (target) => {
  const { waiting, between } = watched();
  await using api = await startApi({ between });
  await register(api, '1');
  const { epoch, revision } = api.registry.position();
  expect((await api.send({ path: `${target}?seen=${now(api)}` })).json).toMatchObject({ epoch, revision });

  const read = api.send({ path: `${target}?seen=${epoch}.${revision + 1}` });
  await eventually(() => waiting.count === 1);
  await register(api, '2');
  const { status, json } = await read;
  expect(status).toBe(200);
  expect(json?.revision).toBeGreaterThan(revision);
});

test.each(listings)('a long poll of %s is answered by the change, or with what it was', async (target) => {
  const { waiting, between } = watched();
  await using api = await startApi({ between });
  await register(api, '1');
  const { headers } = await api.send({ path: target });
  const conditional = { 'If-None-Match': String(headers.etag) };

  const poll = api.send({ path: `${target}?after=${now(api)}&wait=60s`, headers: conditional });
  await eventually(() => waiting.count === 1);
  await register(api, '2');
  expect((await poll).text).toContain('"version":"2"');

  const quiet = `${target}?after=${now(api)}&wait=1ms`;
  const same = await api.send({ path: quiet });
  expect(same).toMatchObject({ status: 200, json: api.registry.position() });
  const unchanged = { 'If-None-Match': String(same.headers.etag) };
  expect((await api.send({ path: quiet, headers: unchanged })).status).toBe(304);

  const other = await api.send({ path: `${target}?after=otherepoch.7&wait=60s` });
  expect(other).toMatchObject({ status: 200, json: api.registry.position() });
});

test('a long poll for a service that is not there yet finds it when it comes', async () => {
  const { waiting, between } = watched();
  await using api = await startApi({ between });
  const poll = api.send({ path: `/v1/services/tickets?after=${now(api)}` });
  await eventually(() => waiting.count === 1);
  await register(api, '1');
  expect((await poll).json).toMatchObject({ name: 'tickets' });
});

test('a caller that leaves is not waited for', async () => {
  const { waiting, between } = watched();
  await using api = await startApi({ between });
  const options = { port: api.port, agent: false, path: `/v1/services?after=${now(api)}&wait=60s` };
  const request = get({ host: '127.0.0.1', ...options }).on('error', () => {}); // we end it ourselves
  await eventually(() => waiting.count === 1);
  request.destroy();
  await eventually(() => waiting.count === 0);
});

test('a server that closes answers its long polls before it ends', async () => {
  const { waiting, between } = watched();
  await using api = await startApi({ between });
  const poll = api.send({ path: `/v1/services?after=${now(api)}&wait=60s` });
  await eventually(() => waiting.count === 1);
  await api.server.close();
  expect(await poll).toMatchObject({ status: 200, json: api.registry.position() });
});
