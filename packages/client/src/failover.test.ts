// Several addresses: who answered last is asked first, until it fails. With their state in memory the others
// are spares that know nothing, so nobody goes back to one by itself.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { registryAddresses } from './addresses.ts';
import { createCatalog } from './catalog.ts';
import { register } from './register.ts';
import { createTransport } from './transport.ts';

const lease = { ttlMs: 1_500 };
const ticketsAt = (registry: string) => ({
  registry,
  name: 'tickets',
  url: '/tickets',
  endpoints: [{ type: 'http' as const, url: 'http://127.0.0.1:9/tickets' }],
  authorizedRoles: [],
  lease,
  log: () => undefined,
});

const isListed = (registry: TestRegistry) => async () => (await registry.listed('tickets')).length === 1;

test.each(['stop', 'freeze'] as const)(
  'the first registry is gone (%s): registered at the second, stays there, and leaves from there',
  async (gone) => {
    await using first = await startRegistry();
    await using second = await startRegistry();
    const registration = await register(ticketsAt(`${first.url}, ${second.url}`));
    onTestFinished(() => registration.unregister().catch(() => undefined));
    expect(await isListed(first)()).toBe(true);

    await first[gone]();
    await eventually(isListed(second));
    await first.start();
    await registration.update({ version: '2' });
    expect((await second.listed('tickets')).map(({ version }) => version)).toEqual(['2']);
    expect(await first.listed('tickets')).toEqual([]);

    await registration.unregister({ drain: true });
    expect(await second.listed('tickets')).toEqual([]);
  },
);

test('a refusal is an answer: the next request goes to who refused first', async () => {
  await using dead = await startRegistry();
  await using living = await startRegistry();
  await dead.stop();
  const transport = createTransport(registryAddresses(`${dead.url},${living.url}`));
  expect(transport.addresses().map(({ origin }) => origin)).toEqual([dead.url, living.url]);
  const call = { path: { service: 'nobody' }, timeoutMs: 3_000 };
  await expect(transport.call('getService', call)).rejects.toMatchObject({ code: 'service_not_found' });
  expect(transport.addresses().map(({ origin }) => origin)).toEqual([living.url, dead.url]);
});

test('a catalog reports to the registry that it follows, and to no other', async () => {
  await using other = await startRegistry();
  const reports: string[] = [];
  const busy = createServer((request, response) => {
    if (request.method === 'PUT') reports.push(request.url ?? '');
    response.statusCode = request.method === 'PUT' ? 503 : 200;
    response.end(JSON.stringify({ epoch: 'one', revision: 1, services: [] }));
  });
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void busy.close());
  const url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`;
  const catalog = createCatalog({ registry: `${url},${other.url}`, gateway: 'gateway-1' });
  const { epoch, revision } = await catalog.snapshot(new AbortController().signal);
  await catalog.applied({ epoch, revision });
  expect(reports).toEqual(['/v1/gateways/gateway-1']);
  expect(catalog.address.origin).toBe(url);
});

test('a catalog whose registry is gone follows the next one', async () => {
  await using first = await startRegistry();
  await using second = await startRegistry();
  const catalog = createCatalog({ registry: `${first.url},${second.url}`, gateway: 'gateway-1' });
  const { signal } = new AbortController();
  const before = await catalog.snapshot(signal);
  expect(catalog.address.origin).toBe(first.url);
  await first.stop();
  const changes = catalog.changes(before, signal)[Symbol.asyncIterator]();
  await expect(changes.next()).rejects.toMatchObject({ code: 'compacted' });
  expect(catalog.address.origin).toBe(second.url);
  expect((await catalog.snapshot(signal)).epoch).not.toBe(before.epoch);
});
