import type { ServicePolicy } from '@reg/schema';
import { expect, test } from 'vitest';
import { bodyOf, kindsAfter, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const two = nameOf('tickets', 'two');
const fallback: ServicePolicy = { fallback: { use: [{ kind: 'static', body: '{}' }] } };
const timeouts: ServicePolicy = { timeouts: { connectMs: 100 } };

test('a policy is one change with the whole definition; the same again is none; an empty one takes it away', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  expect(await refusal(registry.setPolicy('tickets', timeouts))).toBe('service_not_found');
  await registry.register(one, bodyOf(one));
  const before = registry.position();
  const set = await registry.setPolicy('tickets', timeouts);
  expect(await registry.setPolicy('tickets', structuredClone(timeouts))).toEqual(set);
  expect(await kindsAfter(registry, before)).toEqual([['service-updated']]);
  expect(registry.snapshot().services).toMatchObject([
    { name: 'tickets', url: '/tickets', policy: timeouts },
  ]);
  await registry.setPolicy('tickets', {});
  expect(registry.getService('tickets')).not.toHaveProperty('policy');
});

test('no registration touches it: not a new instance, not one that redefines, not a move', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const next = nameOf('next', 'next');
  await registry.register(one, bodyOf(one));
  await registry.register(next, bodyOf(next));
  await registry.setPolicy('tickets', timeouts);
  await registry.scale('tickets', 2);
  const settings = { policy: timeouts, wanted: 2 };
  const again = [
    () => registry.register(one, bodyOf(one)),
    () => registry.register(two, bodyOf(two)),
    () => registry.register(two, bodyOf(two, { redefine: true, authorizedRoles: ['other'] })),
    () =>
      registry.register(two, bodyOf(two, { redefine: true, authorizedRoles: ['other'], url: '/elsewhere' })),
    () => registry.movePath({ path: '/elsewhere', from: 'tickets', to: 'next' }),
  ];
  for (const go of again) {
    await go();
    expect(registry.getService('tickets')).toMatchObject(settings);
  }
  expect(registry.getService('next')).not.toHaveProperty('policy');
});

test.each([
  ['a fallback', { policy: fallback }],
  ['a number of instances said by hand', { wanted: 0 }],
] as const)(
  'a service with %s stays for an hour without instances',
  async (_, {
    policy,
    wanted,
  }: {
    policy?: ServicePolicy;
    wanted?: number;
  }) => {
    await using opened = openRegistry();
    const { registry, clock } = opened;
    await registry.register(one, bodyOf(one, { lease: 'none' }));
    if (policy) await registry.setPolicy('tickets', policy);
    if (wanted !== undefined) await registry.scale('tickets', wanted);
    await registry.unregister(one, { force: true });
    expect(registry.getService('tickets')).toMatchObject({ instances: [] });
    await registry.register(one, bodyOf(one, { lease: 'none' }));
    expect(registry.getService('tickets')).toMatchObject({ ...(policy && { policy }) });
    await registry.unregister(one, { force: true });
    await clock.advance(3_600_000 + 1_000);
    expect(await refusal(() => registry.getService('tickets'))).toBe('service_not_found');
  },
);

test('a policy without a fallback goes with the last instance that unregisters', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one));
  await registry.setPolicy('tickets', timeouts);
  await registry.unregister(one, { force: true });
  expect(await refusal(() => registry.getService('tickets'))).toBe('service_not_found');
});

test('taken from a service without instances, it takes the service along, unless the last one expired', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const leave = async () => {
    await registry.register(one, bodyOf(one));
    await registry.setPolicy('tickets', fallback);
    await registry.unregister(one, { force: true });
  };
  await leave();
  await registry.setPolicy('tickets', timeouts);
  expect(await refusal(() => registry.getService('tickets'))).toBe('service_not_found');

  await leave();
  await registry.scale('tickets', 1);
  await registry.setPolicy('tickets', {});
  expect(registry.getService('tickets')).toMatchObject({ instances: [], wanted: 1 });
  await registry.scale('tickets', null);
  expect(await refusal(() => registry.getService('tickets'))).toBe('service_not_found');

  await registry.register(two, bodyOf(two));
  await registry.register(one, bodyOf(one));
  await registry.setPolicy('tickets', fallback);
  await registry.unregister(two, { force: true });
  await clock.advance(11_000);
  expect(registry.getService('tickets')).toMatchObject({ instances: [] });
  await registry.setPolicy('tickets', {});
  expect(registry.getService('tickets')).toMatchObject({ instances: [] });
});

test('a token sets it where it may write', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.register(one, bodyOf(one));
  const writer = { registrant: 'sub:ann', mayWrite: (service: string) => service === 'tickets' };
  await registry.setPolicy('tickets', timeouts, { writer });
  await registry.scale('tickets', 2, { writer });
  expect(await refusal(registry.setPolicy('other', timeouts, { writer }))).toBe('not_permitted');
  expect(await refusal(registry.scale('other', 2, { writer }))).toBe('not_permitted');
});
