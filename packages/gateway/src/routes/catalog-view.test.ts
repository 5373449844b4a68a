import type { Change, Snapshot } from '@reg/schema';
import { describe, expect, test } from 'vitest';
import { definitionOf, instanceOf, type TestInstance, type TestService } from '../gateway.fixture.ts';
import { createConnectionPools } from '../upstreams/connection-pools.ts';
import { type CatalogView, createCatalogView } from './catalog-view.ts';

const pools = createConnectionPools({ connectTimeoutMs: 1_000, idleMs: 1_000, upstreamNetworks: [] });

function snapshotOf(epoch: string, ...services: [TestService, ...TestInstance[]][]): Snapshot {
  const all = services.map(([one, ...instances]) => ({
    ...definitionOf(one),
    instances: instances.map(instanceOf),
  }));
  return { epoch, revision: 5, services: all };
}

/** `{ '/tickets': ['a', 'b'] }`: who gets new requests, by path. */
function livingAt({ table }: CatalogView, ...paths: string[]): Record<string, string[] | undefined> {
  const ids = (path: string) =>
    table.at(path)?.choices.read.map(({ upstream }) => upstream.instance.instanceId);
  return Object.fromEntries(paths.map((path) => [path, ids(path)]));
}

const tickets = { url: '/tickets' };
const a = { id: 'a', endpoints: ['http://127.0.0.1:1/tickets'] };
const b = { id: 'b', endpoints: ['http://127.0.0.1:2/tickets'] };

describe('changes', () => {
  test('are applied in order, and only the routes they touch are new', () => {
    const view = createCatalogView(snapshotOf('one', [tickets, a], [{ url: '/other' }, b]), pools);
    const other = view.table.at('/other');
    view.apply({
      revision: 6,
      at: 0,
      changes: [{ kind: 'instance-registered', service: 'tickets', instance: instanceOf(b) }],
    });
    expect(view.position).toEqual({ epoch: 'one', revision: 6 });
    expect(livingAt(view, '/tickets')).toEqual({ '/tickets': ['a', 'b'] });
    expect(view.table.at('/other')).toBe(other);
  });

  test.each<[string, Change[], (string[] | undefined)[]]>([
    [
      'drained: nothing new',
      [{ kind: 'instance-drained', service: 'tickets', instance: instanceOf({ ...a, state: 'draining' }) }],
      [[], undefined],
    ],
    [
      'unregistered: down, not unknown',
      [{ kind: 'instance-unregistered', service: 'tickets', instanceId: 'a', generation: 1 }],
      [[], undefined],
    ],
    [
      'expired',
      [{ kind: 'instance-expired', service: 'tickets', instanceId: 'a', generation: 1 }],
      [[], undefined],
    ],
    [
      'expired, but a new run came',
      [{ kind: 'instance-expired', service: 'tickets', instanceId: 'a', generation: 0 }],
      [['a'], undefined],
    ],
    ['removed: unknown', [{ kind: 'service-removed', service: 'tickets' }], [undefined, undefined]],
    [
      'moved',
      [{ kind: 'service-updated', service: { ...definitionOf(tickets), url: '/moved' } }],
      [undefined, ['a']],
    ],
  ])('%s', (_what, changes, [at, moved]) => {
    const view = createCatalogView(snapshotOf('one', [tickets, { ...a, generation: 1 }]), pools);
    view.apply({ revision: 6, at: 0, changes });
    expect(livingAt(view, '/tickets', '/moved')).toEqual({ '/tickets': at, '/moved': moved });
  });

  test('a path is handed from one service to another in one revision, in either order', () => {
    for (const order of [1, -1]) {
      const view = createCatalogView(
        snapshotOf('one', [{ name: 'old', url: '/x' }, a], [{ name: 'new', url: '/y' }, b]),
        pools,
      );
      const changes: Change[] = [
        { kind: 'service-updated', service: definitionOf({ name: 'old', url: '/y' }) },
        { kind: 'service-updated', service: definitionOf({ name: 'new', url: '/x' }) },
      ];
      view.apply({ revision: 6, at: 0, changes: order === 1 ? changes : changes.reverse() });
      expect(livingAt(view, '/x', '/y')).toEqual({ '/x': ['b'], '/y': ['a'] });
    }
  });

  test('a change of an unknown service asks for a snapshot, which mends everything', () => {
    const view = createCatalogView(snapshotOf('one', [tickets, a]), pools);
    const changes: Change[] = [
      { kind: 'service-updated', service: { ...definitionOf(tickets), url: '/moved' } },
      { kind: 'instance-registered', service: 'nobody', instance: instanceOf(b) },
    ];
    expect(() => view.apply({ revision: 6, at: 0, changes })).toThrow(
      expect.objectContaining({ code: 'compacted' }),
    );
    view.replace(snapshotOf('one', [{ ...tickets, url: '/moved', name: 'tickets' }, a]), 0);
    expect(livingAt(view, '/tickets', '/moved')).toEqual({ '/tickets': undefined, '/moved': ['a'] });
  });

  test('what was learned of an instance stays on its run and goes with it', () => {
    const view = createCatalogView(snapshotOf('one', [tickets, a]), pools);
    const condition = () => view.table.at('/tickets')?.upstreams[0]?.condition;
    const before = condition();
    const change = (kind: 'instance-updated' | 'instance-registered', generation: number) =>
      view.apply({
        revision: 6,
        at: 0,
        changes: [{ kind, service: 'tickets', instance: instanceOf({ ...a, generation }) }],
      });
    change('instance-updated', 1);
    expect(condition()).toBe(before);
    view.replace(snapshotOf('one', [tickets, a]), 0);
    expect(condition()).toBe(before);
    change('instance-registered', 2); // restarted: whatever it failed at, it is back
    expect(condition()).not.toBe(before);
  });
});

describe('a snapshot', () => {
  test('of the same epoch is the truth', () => {
    const view = createCatalogView(snapshotOf('one', [tickets, a, b], [{ url: '/other' }, b]), pools);
    view.replace(snapshotOf('one', [tickets, b]), 0);
    expect(livingAt(view, '/tickets', '/other')).toEqual({ '/tickets': ['b'], '/other': undefined });
    expect(view.staleInstances).toBe(0);
  });

  test('of a new epoch: what it lacks stays one lease period, marked stale, each by its own', () => {
    const long = { ...b, lease: { ttlMs: 30_000 } };
    const view = createCatalogView(
      snapshotOf('one', [tickets, { ...a, lease: 'none' }], [{ url: '/other' }, long]),
      pools,
    );
    view.replace(snapshotOf('two'), 1_000);
    expect(livingAt(view, '/tickets', '/other')).toEqual({ '/tickets': ['a'], '/other': ['b'] });
    expect(view.staleInstances).toBe(2);
    expect(view.snapshot().services).toEqual([]); // not ours to say any more

    view.replace(snapshotOf('three'), 9_000); // and a second restart does not make it longer
    expect(view.prune(10_999)).toBe(11_000);
    expect(view.prune(11_000)).toBe(31_000);
    expect(livingAt(view, '/tickets', '/other')).toEqual({ '/tickets': undefined, '/other': ['b'] });
    expect(view.prune(31_000)).toBeUndefined();
    expect(livingAt(view, '/other')).toEqual({ '/other': undefined });
    expect([view.staleInstances, view.table.size]).toEqual([0, 0]);
  });

  test('of a new epoch: who registers again is stale no more', () => {
    const view = createCatalogView(snapshotOf('one', [tickets, a, b]), pools);
    view.replace(snapshotOf('two', [tickets, a]), 0);
    expect(view.staleInstances).toBe(1);
    const instance = instanceOf({ ...b, generation: 2 });
    view.apply({
      revision: 7,
      at: 0,
      changes: [{ kind: 'instance-registered', service: 'tickets', instance }],
    });
    expect(view.staleInstances).toBe(0);
    expect(view.prune(1e9)).toBeUndefined();
    expect(livingAt(view, '/tickets')['/tickets']?.sort()).toEqual(['a', 'b']);
  });

  test('of a new epoch: a path belongs to whom it gives it, not to the stale', () => {
    const view = createCatalogView(snapshotOf('one', [{ name: 'old', url: '/x' }, a]), pools);
    view.replace(snapshotOf('two', [{ name: 'new', url: '/x' }, b]), 0);
    expect(livingAt(view, '/x')).toEqual({ '/x': ['b'] });
    view.prune(1e9);
    expect(livingAt(view, '/x')).toEqual({ '/x': ['b'] });
  });
});

test('routes by method: the first endpoint that fits, queues never', () => {
  const endpoints = [
    { type: 'amqp' as const, url: 'amqp://127.0.0.1/q' },
    { type: 'http-get' as const, url: 'http://127.0.0.1:1/read/' },
    { type: 'http-post' as const, url: 'http://127.0.0.1:2' },
    { type: 'http' as const, url: 'http://127.0.0.1:3/any' },
  ];
  const view = createCatalogView(snapshotOf('one', [tickets, { id: 'a', endpoints }]), pools);
  const route = view.table.at('/tickets');
  const targets = (['read', 'post', 'other'] as const).map((method) => route?.choices[method][0]?.target);
  expect(targets.map((target) => `${target?.host} ${target?.basePath} ${target?.wholePath}`)).toEqual([
    '127.0.0.1:1 /read /read/',
    '127.0.0.1:2  /',
    '127.0.0.1:3 /any /any',
  ]);
});
