import { expect, test } from 'vitest';
import { seedsUpTo } from '../../../tests/support/random.ts';
import { count } from '../../../tests/support/size.ts';
import { createMemoryStore } from './memory-store.ts';
import { createFakeClock, storeSuite } from './testing/index.ts';
import { service, write } from './testing/records.ts';

storeSuite(test, {
  async open({ clock }) {
    const store = createMemoryStore({ clock });
    return { store, [Symbol.asyncDispose]: () => store.close() };
  },
  skip: { reopen: 'it forgets when it ends, by design' },
  histories: { steps: count({ reduced: 1_000, whole: 10_000 }), seeds: seedsUpTo(8) },
});

test('a generation outlives a restart: revisions begin at the wall clock, epochs are new', async () => {
  const clock = createFakeClock();
  const before = createMemoryStore({ clock });
  const { revision } = await write(before, [service('tickets')], new Map(), clock.now());
  await clock.advance(1_000);
  const after = createMemoryStore({ clock });
  expect(after.view.position.epoch).not.toBe(before.view.position.epoch);
  expect(after.view.position.revision).toBeGreaterThan(revision);
  expect(after.nextRevision(clock.now())).toBeGreaterThan(revision);
});

test('revisions keep up with the clock, so that a restart is always above them', async () => {
  const clock = createFakeClock();
  const store = createMemoryStore({ clock });
  await clock.advance(5_000);
  expect((await write(store, [service('tickets')], new Map(), clock.now())).revision).toBe(clock.now());
  expect(store.nextRevision(clock.now())).toBe(clock.now() + 1);
});

test('a closed store takes no write and no renewal: store_unavailable, retryable', async () => {
  const store = createMemoryStore();
  await store.close();
  await expect(store.write([service('tickets')], new Map(), 0)).rejects.toMatchObject({
    code: 'store_unavailable',
    retryable: true,
  });
  await expect(store.renew([])).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('a reader that fell behind the log is told so, at once when it asks and later while it reads', async () => {
  const store = createMemoryStore({ logCapacity: 10 });
  const start = store.view.position;
  const signal = new AbortController().signal;
  const reader = store.changes(start, signal)[Symbol.asyncIterator]();
  for (let index = 0; index < 20; index++) await store.write([service('tickets')], new Map(), 0);
  await expect(reader.next()).rejects.toMatchObject({ code: 'compacted' });
  expect(() => store.changes(start, signal)).toThrow('take a snapshot');
});
