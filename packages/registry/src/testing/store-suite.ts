// What every store must pass. Each test is named after the promise of `Store` that it holds. It brings no
// test runner: hand in the `test` of vitest or of node:test.
import assert from 'node:assert/strict';
import { type Change, type ChangeSet, isRegError, type Position } from '@reg/schema';
import { createRegistry } from '../registry.ts';
import { type InstanceName, instanceKey, type Store } from '../store.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { runHistory } from './history.ts';
import { holdsHistory, holdsNotes } from './history-promises.ts';
import { joined, service, write } from './records.ts';

/** A store that nobody used before; disposing of it closes it and leaves nothing behind. */
export interface OpenedStore extends AsyncDisposable {
  readonly store: Store;
  /** Closes it and opens it again over what it kept. Left out only where `skip.reopen` says why. */
  reopen?(): Promise<Store>;
}

/** `test` of vitest or node:test. */
export interface SuiteTest {
  (name: string, run: () => Promise<void>): unknown;
  skip(name: string, run: () => Promise<void>): unknown;
}

export interface StoreSuiteOptions {
  /** Opens a fresh store, once per test; it takes its time from `clock` alone. */
  readonly open: (options: { readonly clock: FakeClock }) => Promise<OpenedStore>;
  /** The only promise that may be skipped, and the reason why this store cannot keep it. */
  readonly skip?: { readonly reopen: string };
  /** Of the two tests that need many: a store on another machine may take fewer where time is short. */
  readonly sizes?: { readonly changeSets: number; readonly instances: number };
  /** Of the random histories. @default 1_000 steps for each of the seeds 1, 2 and 3 */
  readonly histories?: { readonly steps: number; readonly seeds: readonly number[] };
}

export function storeSuite(
  test: SuiteTest,
  {
    open,
    skip,
    sizes: { changeSets, instances } = { changeSets: 10_000, instances: 100_000 },
    histories = { steps: 1_000, seeds: [1, 2, 3] },
  }: StoreSuiteOptions,
): void {
  /** A fresh store and its clock for each test. */
  function promise(
    name: string,
    hold: (store: Store, clock: FakeClock, opened: OpenedStore) => Promise<void>,
  ) {
    test(name, async () => {
      const clock = createFakeClock();
      await using opened = await open({ clock });
      await hold(opened.store, clock, opened);
    });
  }

  if (skip?.reopen === '') throw new TypeError('a skip needs its reason');
  if (skip)
    test.skip(`1. what was answered is there after closing and opening again (${skip.reopen})`, async () => {});
  else promise('1. what was answered is there after closing and opening again', holdsReopening);

  promise('2. one write is one revision above all before, whatever it holds', async (store, clock) => {
    const before = store.view.position;
    const next = store.nextRevision(clock.now());
    const set = await write(store, joined('tickets', 'one'), nobody('tickets', 'one'), clock.now());
    assert.ok(next > before.revision, 'the next revision is above the present one');
    assert.ok(set.revision >= next, 'a write gets at least the revision that was foretold');
    assert.deepEqual(store.view.position, { epoch: before.epoch, revision: set.revision });
    assert.deepEqual(set.changes, joined('tickets', 'one'));
    assert.equal(set.at, clock.now());
    assert.ok(store.nextRevision(clock.now()) > set.revision);
  });

  promise('2. the revision never goes back, even where the clock stands still', async (store, clock) => {
    const revisions: number[] = [];
    for (let count = 0; count < 50; count++) {
      revisions.push((await write(store, [service('tickets')], new Map(), clock.now())).revision);
    }
    assert.deepEqual(
      revisions,
      [...new Set(revisions)].sort((one, other) => one - other),
    );
  });

  promise(
    '3. a write that replaces another generation throws and changes nothing, not in part',
    async (store, clock) => {
      await write(store, joined('tickets', 'one', 5), nobody('tickets', 'one'), clock.now());
      const before = picture(store);
      const replaces = new Map([
        ...nobody('orders', 'two'),
        [instanceKey({ service: 'tickets', id: 'one' }), 4],
      ]);
      const changes = [...joined('orders', 'two'), ...joined('tickets', 'one', 6)];
      await refuses(write(store, changes, replaces, clock.now()), 'generation_superseded');
      await refuses(write(store, changes, nobody('tickets', 'one'), clock.now()), 'generation_superseded');
      const late = new Map([[instanceKey({ service: 'orders', id: 'two' }), 3]]);
      await refuses(write(store, joined('orders', 'two'), late, clock.now()), 'generation_superseded');
      assert.deepEqual(picture(store), before);
    },
  );

  promise('3. of two writes that replace the same generation, one wins', async (store, clock) => {
    await write(store, joined('tickets', 'one', 5), nobody('tickets', 'one'), clock.now());
    const replaces = new Map([[instanceKey({ service: 'tickets', id: 'one' }), 5]]);
    const both = await Promise.allSettled([
      write(store, joined('tickets', 'one', 6), replaces, clock.now()),
      write(store, joined('tickets', 'one', 7), replaces, clock.now()),
    ]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const won = both[0]?.status === 'fulfilled' ? 6 : 7;
    assert.equal(store.view.services.get('tickets')?.instances.get('one')?.generation, won);
  });

  promise(
    '4. who follows gets every change set after its position, in order, then the new ones',
    async (store, clock) => {
      const start = store.view.position;
      const written: ChangeSet[] = [];
      const writeOne = async () => {
        written.push(await write(store, [service('tickets')], new Map(), clock.now()));
      };
      for (let count = 0; count < 20; count++) await writeOne();
      const following = new AbortController();
      const seen: ChangeSet[] = [];
      const later = collect(store, start, following, seen, 25);
      for (let count = 0; count < 5; count++) await writeOne();
      await later;
      assert.deepEqual(seen, written);

      const middle = { epoch: start.epoch, revision: written[9]?.revision ?? 0 };
      const resumed: ChangeSet[] = [];
      await collect(store, middle, new AbortController(), resumed, 15);
      assert.deepEqual(resumed, written.slice(10));
    },
  );

  promise('4. a position of another epoch is compacted', async (store) => {
    const other = { epoch: 'another', revision: store.view.position.revision };
    await refuses(first(store, other), 'compacted');
  });

  promise('4. a position ahead of the store waits for what comes after it', async (store, clock) => {
    const { epoch } = store.view.position;
    const ahead = { epoch, revision: store.nextRevision(clock.now()) };
    const following = first(store, ahead);
    const early = await write(store, [service('early')], new Map(), clock.now());
    const late = await write(store, [service('late')], new Map(), clock.now());
    assert.ok(early.revision >= ahead.revision);
    assert.deepEqual(await following, early.revision > ahead.revision ? early : late);
  });

  promise(
    `4. ${changeSets} change sets are kept; older ones are compacted, never skipped`,
    async (store, clock) => {
      const positions: Position[] = [store.view.position];
      for (let count = 0; count < changeSets; count++) {
        await write(store, [service(`service ${count % 100}`)], new Map(), clock.now());
        positions.push(store.view.position);
      }
      const [oldest, second] = positions;
      assert.ok(oldest && second);
      assert.equal((await first(store, oldest)).revision, second.revision);
      const slow = store.changes(oldest, new AbortController().signal)[Symbol.asyncIterator]();
      assert.equal((await slow.next()).value?.revision, second.revision);
      for (let count = 0; count < 2.5 * changeSets; count++) {
        await write(store, [service(`service ${count % 100}`)], new Map(), clock.now());
      }
      const third = positions[2];
      const next = await slow.next().catch((error: unknown) => error);
      if (isRegError(next)) assert.equal(next.code, 'compacted');
      else assert.equal((next as IteratorResult<ChangeSet>).value.revision, third?.revision);
    },
  );

  promise('4. the position moves with a change set, and with nothing else', async (store, clock) => {
    const never = new AbortController().signal;
    const set = await write(store, [service('tickets')], new Map(), clock.now());
    const { epoch } = store.view.position;
    assert.deepEqual(store.position(), { epoch, revision: set.revision });
    await store.note([{ service: 'tickets', event: 'said', text: 'nothing changed' }], clock.now());
    assert.deepEqual(store.position(), { epoch, revision: set.revision });
    await store.reached(store.view.position.revision, never);
    const next = first(store, store.position());
    const ahead = store.reached(store.nextRevision(clock.now()), never);
    const later = await write(store, [service('tickets')], new Map(), clock.now());
    assert.deepEqual(await next, later);
    await ahead;
    assert.deepEqual(store.position(), { epoch, revision: later.revision });
  });

  promise('4. following ends when it is aborted, and when the store is closed', async (store) => {
    const following = new AbortController();
    const aborted = collect(store, store.view.position, following, [], 1);
    following.abort();
    await aborted;
    const closed = collect(store, store.view.position, new AbortController(), [], 1);
    await store.close();
    await closed;
  });

  promise(
    '5. a renewal moves the end of a lease, gives no revision and wakes nobody',
    async (store, clock) => {
      await write(store, joined('tickets', 'one', 5), nobody('tickets', 'one'), clock.now());
      const before = store.view.position;
      const following = new AbortController();
      const seen: ChangeSet[] = [];
      const follower = collect(store, before, following, seen, 1);
      const key = instanceKey({ service: 'tickets', id: 'one' });
      const expiresAt = clock.now() + 77_000;
      assert.deepEqual(await store.renew([{ key, generation: 5, expiresAt }]), []);
      assert.equal(store.view.leases.get(key)?.expiresAt, expiresAt);
      assert.deepEqual(store.view.position, before);
      following.abort();
      await follower;
      assert.deepEqual(seen, []);
    },
  );

  promise('5. a renewal of what nobody holds is given back and changes nothing', async (store, clock) => {
    await write(store, joined('tickets', 'one', 5), nobody('tickets', 'one'), clock.now());
    const [key, unknown] = [
      instanceKey({ service: 'tickets', id: 'one' }),
      instanceKey({ service: 'tickets', id: 'no' }),
    ];
    const lost = await store.renew([
      { key, generation: 4, expiresAt: 1 },
      { key: unknown, generation: 5, expiresAt: 1 },
    ]);
    assert.deepEqual(lost, [key, unknown]);
    assert.equal(store.view.leases.get(key)?.expiresAt, clock.now() + 10_000);
  });

  promise('6. the view holds every write that was answered, with all its indexes', async (store, clock) => {
    const { view } = store;
    const [one, two] = [
      instanceKey({ service: 'tickets', id: 'one' }),
      instanceKey({ service: 'tickets', id: 'two' }),
    ];
    const now = clock.now();
    await write(store, joined('tickets', 'one', 5), nobody('tickets', 'one'), now);
    await write(store, joined('tickets', 'two', 6), nobody('tickets', 'two'), now);
    assert.deepEqual([...(view.services.get('tickets')?.instances.keys() ?? [])], ['one', 'two']);
    assert.deepEqual([view.paths.get('/tickets'), view.slugs.get('tickets')], ['tickets', 'tickets']);
    assert.deepEqual([...(view.addresses.get('http://one.test') ?? [])], [one]);

    const gone = { service: 'tickets', instanceId: 'two', generation: 6 };
    await write(store, [{ kind: 'instance-unregistered', ...gone }], new Map([[two, 6]]), now);
    assert.equal(view.leases.has(two), false);
    assert.deepEqual(view.tombstones.get(two)?.supersededRuns, ['run-6']);
    assert.equal(view.addresses.has('http://two.test'), false);

    const expired = { service: 'tickets', instanceId: 'one', generation: 5 };
    await clock.advance(11_000); // a store with a clock of its own ends no lease before its time
    const then = clock.now();
    await store.refresh([one], then);
    await write(store, [{ kind: 'instance-expired', ...expired }], new Map([[one, 5]]), then);
    assert.deepEqual([...view.emptySince], [['tickets', then]]);
    assert.deepEqual(view.tombstones.get(one)?.supersededRuns, []);
    await write(store, [{ kind: 'service-removed', service: 'tickets' }], new Map(), now);
    assert.deepEqual(
      [view.services.size, view.paths.size, view.slugs.size, view.emptySince.size],
      [0, 0, 0, 0],
    );
  });

  promise('6. a run that was replaced stays known, and the last 16 of them', async (store, clock) => {
    const key = instanceKey({ service: 'tickets', id: 'one' });
    let held = 0;
    for (let generation = 1; generation <= 20; generation++) {
      await write(store, joined('tickets', 'one', generation), new Map([[key, held]]), clock.now());
      held = generation;
    }
    const expected = Array.from({ length: 16 }, (_, index) => `run-${index + 4}`);
    assert.deepEqual(store.view.leases.get(key)?.supersededRuns, expected);
  });

  promise('8. the history has each change once, with who made it and from where', holdsHistory);
  promise('8. a note is in the history and in nothing else', holdsNotes);

  promise(`6. it holds ${instances} instances, a tenth of them in one service`, async (store, clock) => {
    const registry = createRegistry({ store, clock });
    const large = instances / 10;
    const registerOne = (index: number) => {
      const name = index < large ? 'large' : `service-${index % (instances / 100)}`;
      const url = `http://10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:3000`;
      const body = { url: `/${name}`, endpoints: [{ type: 'http' as const, url }], authorizedRoles: [] };
      return registry.register({ service: name, id: `i${index}` }, body);
    };
    for (let index = 0; index < instances; index += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, offset) => registerOne(index + offset)));
    }
    assert.equal(registry.health().instances, instances);
    assert.equal(registry.getService('large').instances.length, large);
    const last = { service: 'large', id: `i${large - 1}` };
    const { generation } =
      registry.getService('large').instances.find(({ instanceId }) => instanceId === last.id) ?? {};
    await registry.renew(last, generation ?? 0);
    await registry.unregister(last, { force: true });
    assert.equal(registry.getService('large').instances.length, large - 1);
    assert.equal(registry.snapshot().services.length, instances / 100 + 1);
  });

  test(`random histories agree with the model (${histories.steps} steps, seeds ${histories.seeds})`, async () => {
    const reached = new Set<string>();
    for (const seed of histories.seeds) {
      const clock = createFakeClock();
      await using opened = await open({ clock });
      const answers = await runHistory({ store: opened.store, clock, seed, steps: histories.steps });
      for (const code of answers.keys()) reached.add(code);
    }
    assert.deepEqual([...reached].sort(), everyAnswer, 'the histories meet every answer of the rules');
  });
}

const everyAnswer = [
  'endpoint_taken',
  'generation_superseded',
  'instance_not_found',
  'ok',
  'path_reserved',
  'path_taken',
  'registration_conflict',
  'service_not_found',
  'slug_taken',
];

async function holdsReopening(store: Store, clock: FakeClock, { reopen }: OpenedStore): Promise<void> {
  assert.ok(reopen, 'open() gives no reopen(): say why in skip.reopen');
  const key = instanceKey({ service: 'tickets', id: 'one' });
  await write(store, joined('tickets', 'one', 5), nobody('tickets', 'one'), clock.now());
  await write(store, joined('tickets', 'two', 6), nobody('tickets', 'two'), clock.now());
  const policy = { fallback: { use: [{ kind: 'static' as const, body: '{}', headers: { 'a.$b': 'c' } }] } };
  await write(store, [service('set', { policy, wanted: 3 })], new Map(), clock.now());
  await write(store, [service('moved', { formerUrls: ['/before'] })], new Map(), clock.now());
  const gone: Change = {
    kind: 'instance-unregistered',
    service: 'tickets',
    instanceId: 'one',
    generation: 5,
  };
  await write(store, [gone], new Map([[key, 5]]), clock.now());
  const before = picture(store);
  await clock.advance(60_000);
  const history = store.history.read({ limit: 1_000 }).entries;
  const again = await reopen();
  assert.deepEqual(again.history.read({ limit: 1_000 }).entries, history);
  assert.deepEqual({ ...picture(again), position: before.position }, before);
  assert.equal(again.view.position.epoch, before.position.epoch);
  assert.ok(again.view.position.revision >= before.position.revision, 'a revision never goes back');
  const lease = again.view.leases.get(instanceKey({ service: 'tickets', id: 'two' }));
  assert.equal(lease?.expiresAt, clock.now() + 10_000, 'after a restart every lease gets one full period');
  assert.ok(again.nextRevision(clock.now()) > before.position.revision);
}

/** What must be the same, before and after. */
function picture({ view }: Store) {
  return {
    position: view.position,
    services: [...view.services.values()].map(({ definition, instances }) => [
      definition,
      ...instances.values(),
    ]),
    runs: [...view.leases, ...view.tombstones].map(([key, { runId, generation, supersededRuns }]) => ({
      key,
      runId,
      generation,
      supersededRuns,
    })),
    paths: [...view.paths],
    slugs: [...view.slugs],
    addresses: [...view.addresses].map(([address, holders]) => [address, ...holders]),
  };
}

function nobody(name: string, id: string): Map<ReturnType<typeof instanceKey>, number> {
  return new Map([[instanceKey({ service: name, id } satisfies InstanceName), 0]]);
}

async function refuses(asked: Promise<unknown>, code: string): Promise<void> {
  const answer = await asked.catch((error: unknown) => error);
  assert.ok(isRegError(answer), `expected ${code}`);
  assert.equal(answer.code, code);
}

async function first(store: Store, after: Position): Promise<ChangeSet> {
  const following = new AbortController();
  for await (const set of store.changes(after, following.signal)) {
    following.abort();
    return set;
  }
  throw new Error('it ended before a change came');
}

/** Follows until `count` change sets came, or the following ends. */
async function collect(
  store: Store,
  after: Position,
  following: AbortController,
  into: ChangeSet[],
  count: number,
): Promise<void> {
  for await (const set of store.changes(after, following.signal)) {
    into.push(set);
    if (into.length === count) following.abort();
  }
}
