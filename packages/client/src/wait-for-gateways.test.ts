// Who says `waitFor` goes on when the gateways send requests its way, and is told which of them do not.
import type { ChangeSet } from '@reg/schema';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProxy } from '../testing/proxy.ts';
import { startRegistry, type TestRegistry } from '../testing/registry.ts';
import { createCatalog } from './catalog.ts';
import { register } from './register.ts';
import type { RegisterOptions, Registration } from './registration.ts';

const lines: string[] = [];

/** The registration, ended with the test. */
async function registered(registry: TestRegistry, more: Partial<RegisterOptions>): Promise<Registration> {
  const registration = await register({
    registry: registry.url,
    name: 'tickets',
    url: '/tickets',
    endpoints: [{ type: 'http', url: 'http://127.0.0.1:9/tickets' }],
    authorizedRoles: [],
    lease: { ttlMs: 1_500 },
    log: (line) => void lines.push(line),
    ...more,
  });
  onTestFinished(() => registration.unregister().catch(() => undefined));
  return registration;
}

/** A connected gateway that applies what it is told to. */
async function gateway(registry: TestRegistry) {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const catalog = createCatalog({ registry: registry.url, gateway: 'gate' });
  const { epoch, revision } = await catalog.snapshot(ending.signal);
  const heard: ChangeSet[] = [];
  const follow = async () => {
    for await (const set of catalog.changes({ epoch, revision }, ending.signal)) heard.push(set);
  };
  follow().catch(() => undefined); // the test ends the registry
  const health = async () =>
    (await (await fetch(`${registry.url}/v1/health`)).json()) as { gateways: unknown[] };
  await eventually(health, ({ gateways }) => gateways.length === 1);
  const apply = () => catalog.applied({ epoch, revision: heard.at(-1)?.revision ?? revision });
  return { heard, apply };
}

test('registered, and known to every gateway', async () => {
  await using registry = await startRegistry();
  const { heard, apply } = await gateway(registry);
  const pending = registered(registry, { waitFor: 'gateways' });
  await eventually(() => heard.length === 1);
  expect(await Promise.race([pending, 'pending'])).toBe('pending');
  await apply();
  expect((await pending).missing).toEqual([]);
});

test('without gateways nobody is missing, and who does not wait does not know', async () => {
  await using registry = await startRegistry();
  expect((await registered(registry, { waitFor: 'gateways' })).missing).toEqual([]);
  expect((await registered(registry, {})).missing).toBeUndefined();
});

// Story: a wait inside the first registration would outlast a short lease, and one inside those that
// follow would keep a forgotten instance away for as long as one gateway hangs.
test('a gateway that hangs is named; the lease is kept meanwhile, and coming back does not wait', async () => {
  await using registry = await startRegistry();
  const { heard } = await gateway(registry);
  const registration = await registered(registry, { waitFor: 'gateways' });
  expect(registration.missing).toEqual(['gate']);
  expect(heard.flatMap(({ changes }) => changes.map(({ kind }) => kind))).not.toContain('instance-expired');
  expect(registration.state).toBe('registered');

  await registry.forget('tickets', registration.instanceId);
  const [again] = await eventually(
    () => registry.listed('tickets'),
    ({ length }) => length === 1,
  );
  expect(again?.runId).toBe(registration.runId);
  await eventually(() => registration.state === 'registered');
});

test('the line breaks during the wait: registered all the same, and said', async () => {
  await using registry = await startRegistry();
  await using proxy = await startProxy(registry.url);
  const { heard } = await gateway(registry);
  const pending = registered(registry, { registry: proxy.url, waitFor: 'gateways' });
  await eventually(() => heard.length === 1);
  await eventually(() => proxy.sent().includes('waitFor=gateways'));
  await eventually(() => {
    proxy.cut(); // once is not enough: over a connection that was used before, it is sent again
    return Promise.race([pending, undefined]);
  });
  const registration = await pending;
  expect(registration.missing).toBeUndefined();
  expect(lines).toContainEqual(expect.stringContaining('not known whether at the gateways'));
  expect(await registry.listed('tickets')).toHaveLength(1);
});

test('an update is known to the gateways, or says to which it is not', async () => {
  await using registry = await startRegistry();
  const { heard, apply } = await gateway(registry);
  const registration = await registered(registry, {});
  const moved = [{ type: 'http' as const, url: 'http://127.0.0.1:10/tickets' }];
  const pending = registration.update({ endpoints: moved }, { waitFor: 'gateways' });
  await eventually(() => heard.length === 2);
  expect(await Promise.race([pending, 'pending'])).toBe('pending');
  await apply();
  expect(await pending).toEqual({ missing: [] });

  const hangs = await registration.update({ version: '2' }, { waitFor: 'gateways' });
  expect(hangs).toEqual({ missing: ['gate'] });
  const [listed] = await registry.listed('tickets');
  expect(listed).toMatchObject({ endpoints: moved, version: '2' });
  expect(await registration.update({ version: '3' })).toEqual({ missing: undefined });
  const wrong = { waitFor: 'everyone' as 'gateways' };
  await expect(registration.update({}, wrong)).rejects.toMatchObject({ code: 'invalid_request' });
});

// Story: the wait says the registration once more, so one that was late would have undone the next update.
test('updates at once: the last one stands', async () => {
  await using registry = await startRegistry();
  await using proxy = await startProxy(registry.url);
  const registration = await registered(registry, { registry: proxy.url });
  const versions = ['1', '2', '3', '4'];
  await Promise.all(versions.map((version) => registration.update({ version }, { waitFor: 'gateways' })));
  expect(await registry.listed('tickets')).toMatchObject([{ version: '4' }]);
  const said = [...proxy.sent().matchAll(/"version":"(\d)"/g)].map(([, version]) => version);
  expect(said).toEqual(versions.flatMap((version) => [version, version]));
});
