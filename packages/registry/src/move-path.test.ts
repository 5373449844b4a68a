import { describe, expect, test } from 'vitest';
import type { Registry } from './registry.ts';
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

// Story: who was started with the settings of before the move was refused (`registration_conflict`) when it
// came again: after a lost lease, a restart, as one instance more. What an operator moved stays moved.
describe('after a move, a registration that says the path of before means the one of now', () => {
  const young = nameOf('tickets-2', 'young');

  async function moved(registry: Registry) {
    await registry.register(one, bodyOf(one));
    await registry.register(young, bodyOf(young));
    await registry.movePath({ path: '/tickets', from: 'tickets', to: 'tickets-2' });
  }
  const paths = (registry: Registry) =>
    registry.listServices().services.map(({ name, url }) => `${name} ${url}`);
  const swapped = ['tickets /tickets-2', 'tickets-2 /tickets'];

  test('it comes again, another joins, the last one restarts', async () => {
    await using opened = openRegistry();
    const { registry } = opened;
    await moved(registry);
    await registry.register(one, bodyOf(one));
    await registry.register(nameOf('tickets', 'two'), bodyOf(nameOf('tickets', 'two')));
    await registry.unregister(young, { force: true });
    expect(registry.getService('tickets-2').instances).toEqual([]); // it stays, or its path were lost
    await registry.register(young, bodyOf(young));
    expect(paths(registry).sort()).toEqual(swapped);
    expect(registry.getService('tickets-2').formerUrls).toEqual(['/tickets-2']);
  });

  test('who says the new path is right too, and a change of roles leaves the move alone', async () => {
    await using opened = openRegistry();
    const { registry } = opened;
    await moved(registry);
    const roles = { authorizedRoles: ['more'], redefine: true };
    await registry.register(one, bodyOf(one, { url: '/tickets-2', ...roles }));
    await registry.register(one, bodyOf(one, { authorizedRoles: ['more'] }));
    expect(paths(registry).sort()).toEqual(swapped);
  });

  test('moved again and again, all paths of before are known; moved back, all is as it was', async () => {
    await using opened = openRegistry();
    const { registry } = opened;
    await moved(registry);
    const third = nameOf('third', 'three');
    await registry.register(third, bodyOf(third));
    await registry.movePath({ path: '/tickets', from: 'tickets-2', to: 'third' });
    await registry.register(young, bodyOf(young));
    expect(registry.getService('tickets-2')).toMatchObject({
      url: '/third',
      formerUrls: ['/tickets', '/tickets-2'],
    });
    await registry.movePath({ path: '/tickets', from: 'third', to: 'tickets-2' });
    await registry.movePath({ path: '/tickets', from: 'tickets-2', to: 'tickets' });
    await registry.register(one, bodyOf(one));
    expect(registry.getService('tickets').url).toBe('/tickets');
  });

  test('redefine means what it says, and forgets the move', async () => {
    await using opened = openRegistry();
    const { registry } = opened;
    await moved(registry);
    expect(await refusal(registry.register(one, bodyOf(one, { redefine: true })))).toBe('path_taken');
    await registry.register(one, bodyOf(one, { url: '/old', redefine: true }));
    expect(registry.getService('tickets').formerUrls).toBeUndefined();
    await registry.register(nameOf('tickets', 'two'), bodyOf(nameOf('tickets', 'two'), { url: '/old' }));
    expect(await refusal(registry.register(one, bodyOf(one)))).toBe('registration_conflict');
  });

  test('a service without instances for an hour is forgotten, and its move with it', async () => {
    await using opened = openRegistry();
    const { registry, clock } = opened;
    await moved(registry);
    await registry.unregister(young, { force: true });
    await clock.advance(3_601_000);
    expect(await refusal(() => registry.getService('tickets-2'))).toBe('service_not_found');
  });
});
