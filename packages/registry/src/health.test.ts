// What the registry says of itself when something is wrong, and what it does then.
import { formatPosition } from '@reg/schema';
import { expect, test } from 'vitest';
import { createMemoryStore } from './memory-store.ts';
import { createRegistry } from './registry.ts';
import { createFakeClock } from './testing/index.ts';
import { bodyOf, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const two = nameOf('tickets', 'two');

test('health and listings say when the reaper holds back, and a listing then still has everybody', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  for (let index = 0; index < 20; index++) {
    const name = nameOf('fleet', `i${index}`);
    await registry.register(name, bodyOf(name));
  }
  expect(registry.health()).toMatchObject({
    status: 'ok',
    reasons: [],
    store: 'memory',
    services: 1,
    instances: 20,
    holdingBack: false,
  });
  await clock.advance(11_000);
  expect(registry.health()).toMatchObject({ status: 'degraded', instances: 20, holdingBack: true });
  expect(registry.health().reasons).toEqual(['holding back: 20 of 20 leases are overdue, nobody expires']);
  expect(registry.listServices().holdingBack).toBe(true);
  const { instances, holdingBack } = registry.getService('fleet');
  expect([instances.length, holdingBack]).toEqual([20, true]);
  for (const { instanceId, generation } of instances)
    await registry.renew(nameOf('fleet', instanceId), generation);
  await clock.advance(250);
  expect(registry.health()).toMatchObject({ status: 'ok', holdingBack: false });
});

// Story: the registry's own process stood still (SIGSTOP, a sleeping laptop). Its first look found every
// lease overdue, while the renewals lay unread in its sockets.
test('after standing still itself the registry reads the renewals before it expires anybody', async () => {
  const clock = createFakeClock();
  let tick = () => {};
  const still = {
    ...clock,
    every: (_: number, run: () => void) => {
      tick = run;
      return () => {};
    },
  };
  const store = createMemoryStore({ clock });
  const registry = createRegistry({ store, clock: still });
  const { generation } = await registry.register(one, bodyOf(one));
  await clock.advance(60_000);
  tick();
  await clock.advance(0); // what the look began is done
  await registry.renew(one, generation);
  tick();
  expect(registry.getService('tickets').instances).toHaveLength(1);
  await clock.advance(1_000);
  tick();
  await registry.close();
});

test('a store that fails is store_unavailable, health says why, and the reaper tries again', async () => {
  const clock = createFakeClock();
  const store = createMemoryStore({ clock });
  let broken = false;
  const failing = {
    ...store,
    write: (...args: Parameters<typeof store.write>) =>
      broken ? Promise.reject(new Error('disk full')) : store.write(...args),
    renew: (...args: Parameters<typeof store.renew>) =>
      broken ? Promise.reject(new Error('disk full')) : store.renew(...args),
  };
  const registry = createRegistry({ store: failing, clock });
  const { generation } = await registry.register(one, bodyOf(one));
  broken = true;
  await expect(registry.register(two, bodyOf(two))).rejects.toMatchObject({
    code: 'store_unavailable',
    cause: { message: 'disk full' },
  });
  expect(await refusal(registry.renew(one, generation))).toBe('store_unavailable');
  expect(await refusal(registry.renewMany([{ ...one, generation }]))).toBe('store_unavailable');
  expect(await refusal(registry.drain(one, { generation }))).toBe('store_unavailable');
  await clock.advance(11_000);
  expect(registry.health()).toMatchObject({
    status: 'degraded',
    instances: 1,
    reasons: ['the store did not take a write', 'the store did not take a renewal'],
  });
  broken = false;
  await clock.advance(500);
  expect(registry.health()).toMatchObject({ instances: 0, reasons: ['the store did not take a renewal'] });
  const again = await registry.register(one, bodyOf(one));
  await registry.renew(one, again.generation);
  expect(registry.health()).toMatchObject({ status: 'ok', reasons: [] });
  await registry.close();
});

test('a closed registry writes nothing more and ends its readers', async () => {
  const { registry } = openRegistry();
  const reader = registry.changes(registry.position(), new AbortController().signal)[Symbol.asyncIterator]();
  const next = reader.next();
  await registry.close();
  expect((await next).done).toBe(true);
  expect(await refusal(registry.register(one, bodyOf(one)))).toBe('store_unavailable');
  expect(formatPosition(registry.position())).toMatch(/^[0-9a-f]{16}\.\d+$/);
});
