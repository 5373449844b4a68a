// What gateways measure under a load generator is what the registry shows, from its own process and across the
// network; there only of services that somebody scales.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServiceLoad } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { createMemoryStore, createRegistry, createRegistryServer } from '../support/registry.ts';
import { runReg, startGateway, startStack, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const lanes = 6;
const slowMs = 200;

/** It answers after `slowMs`, so as many requests are under way as there are lanes. */
async function slowUpstream() {
  const server = createServer((_, response) => void setTimeout(() => response.end('[]'), slowMs));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: async () => void server.close() };
}

const registrationOf = (name: string, url: string) => ({
  url: `/${name}`,
  endpoints: [{ type: 'http', url }],
  authorizedRoles: ['tickets-query'],
  lease: 'none',
});

async function register(registry: string, name: string, url: string): Promise<void> {
  const reply = await fetch(`${registry}/v1/services/${name}/instances/one`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(registrationOf(name, url)),
  });
  expect(reply.status).toBe(201);
}

interface Shown {
  readonly load?: ServiceLoad;
}

const shown = async (registry: string, name: string) =>
  ((await (await fetch(`${registry}/v1/services/${name}`)).json()) as Shown).load;

test('requests in flight, their p99 and how many a second are shown while they come, and gone after', async () => {
  await using folder = await temporaryFolder();
  await using upstream = await slowUpstream();
  await using stack = await startStack(folder.path);
  await register(stack.registry, 'tickets', upstream.url);
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  await eventually(
    () => fetch(`${stack.gateway}/tickets`, { headers: { authorization } }),
    ({ status }) => status === 200,
  );

  const load = startLoad(`${stack.gateway}/tickets`, { authorization, lanes });
  const busy = await eventually(
    () => shown(stack.registry, 'tickets'),
    (one) => (one?.inFlight ?? 0) >= lanes - 2 && (one?.requestsPerSecond ?? 0) > 5,
    { withinMs: 20_000 },
  );
  expect(busy?.inFlight).toBeLessThanOrEqual(lanes);
  expect(busy?.p99Ms).toBeGreaterThanOrEqual(slowMs);
  expect(busy?.refusalsPerSecond).toBe(0);
  expect((await load.stop()).failures).toEqual([]);

  await runReg(stack.registry, 'load', 'tickets', 'high', '--for', '1h', '--by', 'ann');
  await eventually(
    () => shown(stack.registry, 'tickets'),
    (one) => one !== undefined && one.inFlight === undefined && one.requestsPerSecond === undefined,
    { withinMs: 20_000 },
  );
  expect(await shown(stack.registry, 'tickets')).toMatchObject({ told: { level: 'high', by: 'ann' } });
  await runReg(stack.registry, 'load', 'tickets', 'normal');
  expect(await shown(stack.registry, 'tickets')).toMatchObject({ told: { level: 'normal' } });
});

test('what cannot be answered counts as refused', async () => {
  await using folder = await temporaryFolder();
  await using stack = await startStack(folder.path);
  await register(stack.registry, 'tickets', 'http://127.0.0.1:9/'); // nobody listens there
  const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
  const load = startLoad(`${stack.gateway}/tickets`, { authorization, perSecond: 20 });
  await eventually(
    () => shown(stack.registry, 'tickets'),
    (one) => (one?.refusalsPerSecond ?? 0) > 1,
    { withinMs: 20_000 },
  );
  await load.stop();
});

// Story: a gateway that reports everything asks the registry something each second for as long as it has traffic.
test('across the network only what somebody scales is reported, also while it has nothing to do', async () => {
  await using folder = await temporaryFolder();
  await using upstream = await slowUpstream();
  const calls: string[] = [];
  const store = createMemoryStore();
  const registry = createRegistry({ store });
  const server = await createRegistryServer({
    registry,
    port: 0,
    log: (line) => void (line.kind === 'access' && calls.push(`${line.method} ${line.path}`)),
  });
  try {
    await using gateway = await startGateway(folder.path, server.url);
    for (const name of ['tickets', 'scaled', 'calm']) await register(server.url, name, upstream.url);
    for (const name of ['scaled', 'calm']) {
      const { url, authorizedRoles, access } = registry.getService(name);
      const service = { name, url, authorizedRoles, access, policy: { scaling: { max: 3 } } };
      await store.write([{ kind: 'service-updated', service }], new Map(), Date.now());
    }
    const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
    const loads = ['tickets', 'scaled'].map((name) =>
      startLoad(`${gateway.url}/${name}`, { authorization, lanes }),
    );
    await eventually(
      () => shown(server.url, 'scaled'),
      (one) => (one?.inFlight ?? 0) >= lanes - 2,
      { withinMs: 20_000 },
    );
    await eventually(
      () => shown(server.url, 'calm'),
      (one) => one?.inFlight === 0,
      { withinMs: 20_000 },
    );
    for (const load of loads) await load.stop();
    expect(calls).toContain('POST /v1/services/scaled/load');
    expect(calls).not.toContain('POST /v1/services/tickets/load');
    expect(await shown(server.url, 'tickets')).toBeUndefined();
  } finally {
    await server.close();
    await registry.close();
  }
});
