import { expect, test } from 'vitest';
import { decideExpiry } from './leave.ts';
import { instanceKey } from './store.ts';
import { bodyOf, nameOf, openRegistry } from './testing/open-registry.ts';

// Story: expiries are written in parts. One renewed while an earlier part was being written was expired all
// the same, although its renewal had been answered.
test('between the look and its write an instance was renewed, given up its lease, or left: it does not expire', async () => {
  await using opened = openRegistry();
  const { registry, clock, store } = opened;
  const names = ['due', 'renewed', 'without', 'left'].map((id) => nameOf('tickets', id));
  const generations = new Map<string, number>();
  for (const name of names)
    generations.set(name.id, (await registry.register(name, bodyOf(name))).generation);
  const dueAt = clock.now() + 10_000;
  await clock.advance(5_000);
  await registry.renew(nameOf('tickets', 'renewed'), generations.get('renewed') ?? 0);
  await registry.register(
    nameOf('tickets', 'without'),
    bodyOf(nameOf('tickets', 'without'), { lease: 'none' }),
  );
  await registry.unregister(nameOf('tickets', 'left'), { force: true });
  const { changes, replaces } = decideExpiry(store.view, names.map(instanceKey), dueAt);
  expect(changes).toMatchObject([{ kind: 'instance-expired', instanceId: 'due' }]);
  expect([...replaces.keys()]).toEqual([instanceKey(nameOf('tickets', 'due'))]);
});
