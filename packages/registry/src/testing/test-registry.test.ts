import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { registrationOf, send } from '../http/test-api.ts';
import { createTestRegistry, type TestRegistry } from './test-registry.ts';

const path = (id: string): string => `/v1/services/tickets/instances/${id}`;
const portOf = ({ url }: TestRegistry): number => Number(new URL(url).port);
const ids = (registry: TestRegistry): string[] =>
  registry.instances('tickets').map(({ instanceId }) => instanceId);

/** @returns the generation */
async function join(registry: TestRegistry, id: string, runId: string, port: number): Promise<number> {
  const body = registrationOf({ port, runId, lease: { ttlMs: 10_000 } });
  const { status, json } = await send(portOf(registry), { method: 'PUT', path: path(id), body });
  expect(status).toBeLessThan(300);
  return Number(json?.generation);
}

const put = async (registry: TestRegistry, target: string, body?: unknown): Promise<number> =>
  (await send(portOf(registry), { method: 'PUT', path: target, body })).status;

test('time goes on when told to: the killed go with their lease, the others stay', async () => {
  await using registry = await createTestRegistry();
  await join(registry, 'one', 'run-1', 3001);
  await join(registry, 'two', 'run-2', 3002);
  registry.kill('one');
  await registry.advance(9_900);
  expect(ids(registry)).toEqual(['one', 'two']);
  await registry.advance(1_100);
  expect(ids(registry)).toEqual(['two']);
  await registry.advance(3_600_000);
  expect(ids(registry)).toEqual(['two']);
});

test('the words of a killed run are answered and change nothing; a new run in its place is heard', async () => {
  await using registry = await createTestRegistry();
  const generation = await join(registry, 'one', 'run-1', 3001);
  registry.kill('one');
  await registry.advance(5_000);
  expect(await put(registry, `${path('one')}/lease`, { generation })).toBe(200);
  expect(await put(registry, `${path('one')}/drain?runId=run-1`)).toBe(200);
  const renewals = [{ service: 'tickets', id: 'one', generation }];
  const many = await send(portOf(registry), { method: 'POST', path: '/v1/leases', body: { renewals } });
  expect(many.json).toMatchObject({ results: [{ leaseUntil: expect.any(Number) }] });
  const left = { method: 'DELETE', path: `${path('one')}?runId=run-1` };
  expect((await send(portOf(registry), left)).status).toBe(200);
  expect(registry.instances('tickets')).toMatchObject([{ instanceId: 'one', state: 'up' }]);

  await registry.advance(6_000);
  expect(await join(registry, 'one', 'run-1', 3001)).toBe(generation); // it tries to come back
  expect(ids(registry)).toEqual([]);
  expect(await join(registry, 'one', 'run-2', 3001)).toBeGreaterThan(generation);
  await registry.advance(60_000);
  expect(ids(registry)).toEqual(['one']);
});

test('one id is one process: killed and drained for each of its services', async () => {
  await using registry = await createTestRegistry();
  await join(registry, 'one', 'run-1', 3001);
  const other = registrationOf({ url: '/other', port: 3002 });
  await put(registry, '/v1/services/other/instances/one', other);
  await registry.drain('one');
  const states = ['tickets', 'other'].map((service) => registry.instances(service)[0]?.state);
  expect(states).toEqual(['draining', 'draining']);
});

test('who is not listed can be neither killed nor drained', async () => {
  await using registry = await createTestRegistry();
  expect(() => registry.kill('one')).toThrow('no instance one is listed');
  await expect(registry.drain('one')).rejects.toMatchObject({ code: 'instance_not_found' });
  expect(registry.instances('nobody')).toEqual([]);
});

async function readInto(heard: string[], { body }: Response): Promise<void> {
  for await (const chunk of body ?? []) heard.push(Buffer.from(chunk).toString());
}

test('partitioned: old and new connections get nothing, leases end; healed: old ones are reset', async () => {
  await using registry = await createTestRegistry();
  await join(registry, 'one', 'run-1', 3001);
  const stream = await fetch(`${registry.url}/v1/changes`);
  const heard: string[] = [];
  const rest = readInto(heard, stream);
  rest.catch(() => undefined); // looked at below
  await eventually(() => heard.join('').includes('id: '));

  registry.partition();
  const socket = connect(portOf(registry), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk)).on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await registry.advance(11_000);
  expect(ids(registry)).toEqual([]);

  const reset = Promise.all([once(socket, 'close'), expect(rest).rejects.toThrow()]);
  registry.heal();
  await reset;
  expect(heard.join('')).not.toContain('instance-expired'); // it happened while nothing got through
  expect(answer).toBe('');
  await eventually(() => join(registry, 'one', 'run-1', 3001));
  expect(ids(registry)).toEqual(['one']);
});

test('closing it ends what is open, and may be repeated', async () => {
  const registry = await createTestRegistry();
  const stream = await fetch(`${registry.url}/v1/changes`);
  await registry.close();
  await registry.close();
  await expect(stream.text()).rejects.toThrow();
  await expect(fetch(registry.url)).rejects.toThrow();
});
