// createTestRegistry() with the client on the other side, as a team's own tests use it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { discover, type Registration, register } from '@reg/client';
import { createTestRegistry, type TestRegistry } from '@reg/registry/testing';
import { expect, test } from 'vitest';
import { eventually } from './support/eventually.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

interface Service extends AsyncDisposable {
  readonly registration: Registration;
  readonly said: string[];
}

async function startService(registry: TestRegistry, port: number): Promise<Service> {
  const said: string[] = [];
  const registration = await register({
    registry: registry.url,
    name: 'tickets',
    url: '/tickets',
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}/tickets` }],
    authorizedRoles: [],
    lease: { ttlMs: 1_000 },
    log: (line) => said.push(line),
  });
  return { registration, said, [Symbol.asyncDispose]: () => registration.unregister() };
}

const ids = (registry: TestRegistry): string[] =>
  registry.instances('tickets').map(({ instanceId }) => instanceId);

test('a killed service leaves the list of who discovers it; its client goes on unknowing', async () => {
  await using registry = await createTestRegistry();
  await using one = await startService(registry, 3001);
  await using _two = await startService(registry, 3002);
  const tickets = await discover('tickets', { registry: registry.url });
  registry.kill('127.0.0.1-3001');
  await registry.advance(2_500);
  await eventually(
    () => tickets.instances,
    (all) => all.length === 1,
  );
  expect(tickets.pick().url).toBe('http://127.0.0.1:3002/tickets');
  expect([one.registration.state, one.said]).toEqual(['registered', []]);
});

test('a drained service is not picked any more', async () => {
  await using registry = await createTestRegistry();
  await using _one = await startService(registry, 3001);
  await using _two = await startService(registry, 3002);
  const tickets = await discover('tickets', { registry: registry.url });
  await registry.drain('127.0.0.1-3002');
  const picked = () => new Set(Array.from({ length: 4 }, () => tickets.pick().url));
  expect(await eventually(picked, ({ size }) => size === 1)).toEqual(
    new Set(['http://127.0.0.1:3001/tickets']),
  );
});

test('after a partition the lease has ended, and the service comes back by itself', async () => {
  await using registry = await createTestRegistry();
  await using one = await startService(registry, 3001);
  registry.partition();
  await registry.advance(2_500);
  expect(ids(registry)).toEqual([]);
  registry.heal();
  await eventually(
    () => ids(registry),
    (all) => all.length === 1,
  );
  await eventually(
    () => one.registration.state,
    (state) => state === 'registered', // once its client has read the answer
  );
});

test('the example of the README runs as it stands', () => {
  const readme = readFileSync(`${here}../packages/registry/README.md`, 'utf8');
  const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  const code = examples.find((one) => one.includes('createTestRegistry')) ?? '';
  const ran = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: here, // from where its imports are resolved
    encoding: 'utf8',
  });
  expect(ran.status, ran.stdout + ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/pass 1\b/);
});
