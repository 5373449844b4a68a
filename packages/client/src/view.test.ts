import type { Change, Instance, Snapshot } from '@reg/schema/shapes';
import { expect, test } from 'vitest';
import { createView } from './view.ts';

const definition = { name: 'tickets', url: '/tickets', authorizedRoles: ['a'], access: 'token' as const };

const instance = (instanceId: string, more: Partial<Instance> = {}): Instance => ({
  instanceId,
  generation: 1,
  state: 'up',
  endpoints: [{ type: 'http', url: `http://${instanceId}/tickets` }],
  lease: { ttlMs: 3_000 },
  registeredAt: 0,
  ...more,
});

const snapshot = (epoch: string, revision: number, ...instances: Instance[]): Snapshot => ({
  epoch,
  revision,
  services: [{ ...definition, instances }],
});

const set = (revision: number, ...changes: Change[]) => ({ revision, at: 0, changes });

const ids = (view: ReturnType<typeof createView>, now: number) =>
  view.instancesOf('tickets', now).map(({ instanceId, stale }) => instanceId + (stale ? ' stale' : ''));

test('changes bring a snapshot up to date', () => {
  const view = createView();
  expect(view.position()).toBeUndefined();
  expect(ids(view, 0)).toEqual([]);
  view.take(snapshot('one', 5, instance('b'), instance('a')), 0);
  expect(ids(view, 0)).toEqual(['a', 'b']);
  expect(view.instancesOf('tickets', 0)).toBe(view.instancesOf('tickets', 1));

  view.take(set(7, { kind: 'instance-registered', service: 'tickets', instance: instance('c') }), 0);
  view.take(
    set(8, { kind: 'instance-drained', service: 'tickets', instance: instance('a', { state: 'draining' }) }),
    0,
  );
  view.take(set(9, { kind: 'instance-expired', service: 'tickets', instanceId: 'b', generation: 1 }), 0);
  expect(view.position()).toEqual({ epoch: 'one', revision: 9 });
  expect(view.instancesOf('tickets', 0).map((one) => [one.instanceId, one.state])).toEqual([
    ['a', 'draining'],
    ['c', 'up'],
  ]);

  view.take(set(10, { kind: 'service-updated', service: { ...definition, authorizedRoles: ['b'] } }), 0);
  expect(view.instancesOf('tickets', 0).map(({ roles }) => roles)).toEqual([['b'], ['b']]);
  view.take(set(11, { kind: 'service-removed', service: 'tickets' }), 0);
  expect(ids(view, 0)).toEqual([]);
});

test('in the same epoch a snapshot is the truth', () => {
  const view = createView();
  view.take(snapshot('one', 5, instance('a'), instance('b')), 0);
  view.take(snapshot('one', 9, instance('b')), 0);
  expect(ids(view, 0)).toEqual(['b']);
});

// Story: a registry in memory is restarted; until its services came back, every view was empty.
test('in a new epoch, what the registry has not heard of yet stays for one lease period', () => {
  const view = createView();
  view.take(snapshot('one', 5, instance('a'), instance('b'), instance('c', { lease: 'none' })), 0);
  view.take({ epoch: 'two', revision: 6, services: [] }, 1_000);
  expect(ids(view, 1_000)).toEqual(['a stale', 'b stale', 'c stale']);

  view.take(set(7, { kind: 'service-updated', service: definition }), 1_500);
  view.take(set(8, { kind: 'instance-registered', service: 'tickets', instance: instance('a') }), 1_500);
  expect(ids(view, 3_999)).toEqual(['a', 'b stale', 'c stale']);
  expect(ids(view, 4_000)).toEqual(['a', 'c stale']);
  expect(ids(view, 11_000)).toEqual(['a']);
});

test('restarted again and again, what never came back does not stay for ever', () => {
  const view = createView();
  view.take(snapshot('one', 5, instance('a')), 0);
  view.take({ epoch: 'two', revision: 6, services: [] }, 1_000);
  view.take({ epoch: 'three', revision: 7, services: [] }, 3_500);
  expect(ids(view, 3_999)).toEqual(['a stale']);
  expect(ids(view, 4_000)).toEqual([]);
});
