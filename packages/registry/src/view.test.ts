import type { Change } from '@reg/schema';
import { expect, test } from 'vitest';
import { instanceKey } from './store.ts';
import { joined, service } from './testing/records.ts';
import { createView } from './view.ts';

const hourMs = 3_600_000;

function openView() {
  const view = createView({ epoch: 'e', revision: 0 });
  let revision = 0;
  return {
    view,
    apply: (at: number, ...changes: Change[]) => view.apply({ revision: ++revision, at, changes }, at),
  };
}

function unregistered(id: string): Change {
  return { kind: 'instance-unregistered', service: 'tickets', instanceId: id, generation: 1 };
}

test('a tombstone is forgotten after 24 hours, not before', () => {
  const { view, apply } = openView();
  apply(0, ...joined('tickets', 'one'));
  apply(1_000, unregistered('one'));
  apply(24 * hourMs + 999, service('other'));
  expect(view.tombstones.size).toBe(1);
  apply(24 * hourMs + 1_000, service('other'));
  expect(view.tombstones.size).toBe(0);
});

test('at most 100,000 tombstones are kept, the oldest go', () => {
  const { view, apply } = openView();
  for (let index = 0; index < 100_010; index++) {
    apply(index, ...joined('tickets', `i${index}`));
    apply(index, unregistered(`i${index}`));
  }
  expect(view.tombstones.size).toBe(100_000);
  expect(view.tombstones.has(instanceKey({ service: 'tickets', id: 'i9' }))).toBe(false);
  expect(view.tombstones.has(instanceKey({ service: 'tickets', id: 'i10' }))).toBe(true);
});

test('an instance listed again is no tombstone, and its next one is the youngest', () => {
  const { view, apply } = openView();
  for (const id of ['one', 'two']) apply(0, ...joined('tickets', id), unregistered(id));
  apply(0, ...joined('tickets', 'one'));
  expect([...view.tombstones.keys()]).toEqual([instanceKey({ service: 'tickets', id: 'two' })]);
  apply(0, unregistered('one'));
  expect([...view.tombstones.keys()].map((key) => key.split('\u0000')[1])).toEqual(['two', 'one']);
});

test('two paths swapped in one revision keep both holders', () => {
  const { view, apply } = openView();
  apply(0, service('old'), service('new'));
  const swap = (name: string, url: string): Change => ({
    kind: 'service-updated',
    service: { name, url, authorizedRoles: [], access: 'token' },
  });
  apply(0, swap('new', '/old'), swap('old', '/new'));
  expect([...view.paths]).toEqual([
    ['/old', 'new'],
    ['/new', 'old'],
  ]);
});

test('an address is held until the last of its holders lets go; other spellings are the same address', () => {
  const { view, apply } = openView();
  const [register] = joined('tickets', 'one').slice(1);
  if (register?.kind !== 'instance-registered') throw new Error('joined() registers');
  const at = (url: string) => ({ ...register.instance, endpoints: [{ type: 'http' as const, url }] });
  apply(0, ...joined('tickets', 'one'), service('orders'));
  apply(0, { ...register, instance: at('http://HOST.test:80/a/') });
  apply(0, { ...register, service: 'orders', instance: at('http://host.test/a') });
  expect([...view.addresses.keys()]).toEqual(['http://host.test/a']);
  apply(0, unregistered('one'));
  expect(view.addresses.get('http://host.test/a')).toHaveLength(1);
  apply(0, { ...register, kind: 'instance-updated', service: 'orders', instance: at('http://host.test/b') });
  expect([...view.addresses.keys()]).toEqual(['http://host.test/b']);
});

test('a renewal replaces the lease and touches nothing else', () => {
  const { view, apply } = openView();
  apply(0, ...joined('tickets', 'one'));
  const key = instanceKey({ service: 'tickets', id: 'one' });
  const before = view.leases.get(key);
  expect(view.renew({ key, generation: 1, expiresAt: 99 })).toBe(true);
  expect(view.renew({ key, generation: 2, expiresAt: 77 })).toBe(false);
  expect(view.leases.get(key)).toEqual({ ...before, expiresAt: 99 });
  expect(before?.expiresAt).toBe(10_000);
});
