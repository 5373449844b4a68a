// Story: a gateway that asks the registry per request is only as fast, and as available, as the registry.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/load.ts';
import { createMemoryStore, createRegistry, createRegistryServer } from '../support/registry.ts';
import { startGateway, token } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const requests = 10_000;

test('10,000 requests through a gateway cause no call to the registry across the network', async () => {
  await using folder = await temporaryFolder();
  const calls: string[] = [];
  const registry = createRegistry({ store: createMemoryStore() });
  const server = await createRegistryServer({
    registry,
    port: 0,
    log: (line) => calls.push(line.kind === 'access' ? `${line.method} ${line.path}` : String(line.error)),
  });
  const upstream = createServer((_, response) => response.end('[]')).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  try {
    await using gateway = await startGateway(folder.path, server.url);
    const registered = await fetch(`${server.url}/v1/services/tickets/instances/one`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        name: 'tickets',
        url: '/tickets',
        endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}/` }],
        authorizedRoles: ['tickets-query'],
        lease: 'none', // nothing renews it, so whoever calls is the gateway
      }),
    });
    expect(registered.status).toBe(201);
    const authorization = `Bearer ${await token({ roles: ['tickets-query'] })}`;
    await eventually(
      () => fetch(`${gateway.url}/tickets`, { headers: { authorization } }),
      ({ status }) => status === 200,
    );
    await eventually(() => calls.some((call) => call.startsWith('PUT /v1/gateways/'))); // its report of that change
    const before = calls.length;

    const load = startLoad(`${gateway.url}/tickets`, { authorization });
    await eventually(() => load.answered() >= requests, Boolean, { withinMs: 100_000 });
    const { failures } = await load.stop();

    expect(failures).toEqual([]);
    expect(calls.slice(before)).toEqual([]);
  } finally {
    upstream.close();
    await server.close();
    await registry.close();
  }
});
