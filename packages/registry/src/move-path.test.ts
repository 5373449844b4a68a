import { expect, test } from 'vitest';
import { bodyOf, kindsAfter, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');

test('moving a path swaps it between two services in one revision; repeated, it succeeds without a change', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const young = nameOf('tickets-2', 'two');
  await registry.register(one, bodyOf(one));
  await registry.register(young, bodyOf(young));
  const before = registry.position();
  const move = { path: '/tickets', from: 'tickets', to: 'tickets-2' };
  const moved = await registry.movePath(move);
  expect(await registry.movePath(move)).toEqual(moved);
  expect(await kindsAfter(registry, before)).toEqual([['service-updated', 'service-updated']]);
  expect([registry.getService('tickets').url, registry.getService('tickets-2').url]).toEqual([
    '/tickets-2',
    '/tickets',
  ]);
});

test('a move that does not fit changes nothing', async () => {
  await using opened = openRegistry({ grants: [{ path: '/', service: 'Web' }] });
  const { registry } = opened;
  for (const service of ['tickets', 'orders', 'bills']) {
    const name = nameOf(service, service);
    await registry.register(name, bodyOf(name));
  }
  const web = nameOf('Web', 'web');
  await registry.register(web, bodyOf(web, { url: '/' }));
  const before = registry.position();
  const move = (path: string, from: string, to: string) => refusal(registry.movePath({ path, from, to }));
  expect(await move('/tickets', 'tickets', 'nobody')).toBe('service_not_found');
  expect(await move('/tickets', 'nobody', 'tickets')).toBe('service_not_found');
  expect(await move('/free', 'tickets', 'orders')).toBe('registration_conflict');
  expect(await move('/bills', 'tickets', 'orders')).toBe('path_taken');
  expect(await move('/', 'Web', 'orders')).toBe('path_reserved');
  expect(await move('/tickets', 'tickets', 'Web')).toBe('path_reserved');
  expect(await move('/tickets', 'tickets', 'tickets')).toBe(undefined);
  expect(registry.position()).toEqual(before);
});
