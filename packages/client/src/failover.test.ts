// Several addresses: the first that answers is asked, in the order of the list. With their state in memory the
// others are spares that know nothing, so everybody has to meet at the same one.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { registryAddresses } from './addresses.ts';
import { createCatalog } from './catalog.ts';
import { register } from './register.ts';
import { createBearer } from './token.ts';
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
  'the first registry is gone (%s): registered at the second; at the first again when it is back',
  async (gone) => {
    await using first = await startRegistry();
    await using second = await startRegistry();
    const registration = await register(ticketsAt(`${first.url}, ${second.url}`));
    onTestFinished(() => registration.unregister().catch(() => undefined));
    expect(await isListed(first)()).toBe(true);

    await first[gone]();
    await eventually(isListed(second));
    expect(registration.state).toBe('registered');
    await first.start();
    await eventually(isListed(first));
    await eventually(async () => (await second.listed('tickets')).length === 0); // its lease there has ended

    await registration.unregister({ drain: true });
    expect(await first.listed('tickets')).toEqual([]);
  },
);

test.each(['stop', 'freeze'] as const)(
  'it leaves from where it is registered, also when the first is back by then (%s)',
  async (gone) => {
    await using first = await startRegistry();
    await using second = await startRegistry();
    await first[gone]();
    const given = { ...ticketsAt(`${first.url},${second.url}`), lease: { ttlMs: 60_000 } };
    const registration = await register(given);
    onTestFinished(() => registration.unregister().catch(() => undefined));
    expect(await isListed(second)()).toBe(true);
    await first.start();
    await registration.unregister({ drain: true });
    expect(await second.listed('tickets')).toEqual([]);
  },
);

// Story: a registry that had hung worked off a register of half a minute ago, granting a later generation than the
// spare had. The service came back to it, was told that it was superseded, by itself, and ended.
test('the first registry knows the run already, under a generation of its own: it is the same run there', async () => {
  await using first = await startRegistry();
  await using second = await startRegistry();
  await first.stop();
  const given = ticketsAt(`${first.url},${second.url}`);
  const registration = await register(given);
  onTestFinished(() => registration.unregister().catch(() => undefined));
  const { name: _, registry: __, log: ___, ...body } = given;
  const { runId, instanceId, generation } = registration;
  await first.start();
  expect((await first.put('tickets', instanceId, { ...body, runId })).status).toBe(201);
  const [known] = await first.listed('tickets');
  expect(known?.generation).toBeGreaterThan(generation);

  await eventually(() => registration.generation === known?.generation);
  expect([registration.state, registration.refusal]).toEqual(['registered', undefined]);
});

test('a refusal is an answer: it comes from the one that is asked next', async () => {
  await using dead = await startRegistry();
  await using living = await startRegistry();
  await dead.stop();
  const transport = createTransport(
    registryAddresses(`${dead.url},${living.url}`),
    createBearer(undefined, {}),
  );
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

test('a watch, an address: the next one while the first is gone, and the first when it is back', async () => {
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
  const atSecond = await catalog.snapshot(signal);
  expect(atSecond.epoch).not.toBe(before.epoch);

  const following = catalog.changes(atSecond, signal)[Symbol.asyncIterator]().next();
  following.catch(() => undefined); // awaited below
  await first.start();
  await expect(following).rejects.toMatchObject({ code: 'registry_unavailable' });
  const atFirst = await catalog.snapshot(signal);
  expect(catalog.address.origin).toBe(first.url);
  expect([before.epoch, atSecond.epoch]).not.toContain(atFirst.epoch);
});
