// The gateway and the client's catalog together, as `reg up --gateway-only` wires them, over two registries.
import { createCatalog } from '@reg/client';
import { createGateway, createTokenVerifier } from '@reg/gateway';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { openRegistry } from './reg.fixture.ts';

const tickets = {
  url: '/tickets',
  endpoints: [{ type: 'http' as const, url: 'http://127.0.0.1:9/tickets' }],
  authorizedRoles: [],
  lease: { ttlMs: 60_000 },
};

test('the registry dies: the view serves on and says that it is stale, until the spare knows as much', async () => {
  await using first = await openRegistry();
  await using second = await openRegistry();
  const gateway = createGateway({
    catalog: createCatalog({ registry: `${first.url},${second.url}`, gateway: 'gateway-1' }),
    tokens: createTokenVerifier({ secret: 'a secret of the tests, of 32 bytes and more' }),
  });
  await using _ = { [Symbol.asyncDispose]: () => gateway.close() };
  const name = { service: 'tickets', id: 'one' };
  await first.registry.register(name, tickets);
  await gateway.ready();
  await eventually(
    () => gateway.health(),
    ({ routes, stale }) => routes === 1 && !stale,
  );

  await first.close();
  const { epoch } = second.registry.position();
  const moved = await eventually(
    () => gateway.health(),
    ({ position }) => position?.epoch === epoch,
  );
  expect(moved).toMatchObject({ ready: { ok: true }, stale: true, routes: 1 });
  expect(moved.reasons.join()).toContain('1 instances are known from an earlier epoch alone');

  await second.registry.register(name, tickets);
  await eventually(
    () => gateway.health(),
    ({ routes, stale }) => routes === 1 && !stale,
  );
  await second.close();
  await eventually(
    () => gateway.health(),
    ({ routes, stale, reasons }) => routes === 1 && stale && reasons.join().includes('the registry is away'),
  );
});
