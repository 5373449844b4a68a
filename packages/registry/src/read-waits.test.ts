// Reading one's own write: a read waits for what its reader has seen, or for something newer.
import { expect, test } from 'vitest';
import { createReadWaits } from './read-waits.ts';
import { bodyOf, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');
const never = new AbortController().signal;

/** Whether it has ended by now. */
async function hasEnded(wait: Promise<unknown>): Promise<boolean> {
  await new Promise((resolve) => setImmediate(resolve));
  return Promise.race([wait.then(() => true), Promise.resolve(false)]);
}

test('what this registry has is read at once', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const before = registry.position();
  await registry.seen(before, never);
  await registry.seen(await registry.register(one, bodyOf(one)), never);
  await registry.newerThan(before, 60_000, never);
});

test('a position ahead is waited for until this registry is there, and not for less', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { epoch, revision } = registry.position();
  const seen = registry.seen({ epoch, revision: revision + 2 }, never);
  const newer = registry.newerThan({ epoch, revision: revision + 1 }, 60_000, never);
  await registry.register(one, bodyOf(one));
  expect([await hasEnded(seen), await hasEnded(newer)]).toEqual([false, false]);
  await registry.drain(one, { force: true });
  await Promise.all([seen, newer]);
});

test('a registry that stays behind says so after 5 s, and one of another epoch at once', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const { epoch, revision } = registry.position();
  const refused = refusal(registry.seen({ epoch, revision: revision + 1 }, never));
  await clock.advance(4_999);
  expect(await hasEnded(refused)).toBe(false);
  await clock.advance(1);
  expect(await refused).toBe('not_caught_up');
  expect(await refusal(registry.seen({ epoch: 'another', revision: 1 }, never))).toBe('compacted');
});

test('without news a long poll ends with its wait; a position of another epoch is news', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const poll = registry.newerThan(registry.position(), 30_000, never);
  await clock.advance(29_999);
  expect(await hasEnded(poll)).toBe(false);
  await clock.advance(1);
  await poll;
  await registry.newerThan({ epoch: 'another', revision: 1 }, 30_000, never);
});

test('waits are bounded; one whose reader left frees its place, and closing ends all', async () => {
  await using opened = openRegistry();
  const { registry, store, clock } = opened;
  const waits = createReadWaits(store, clock, { limit: 2 });
  const leaving = new AbortController();
  const after = registry.position();
  const left = waits.newerThan(after, 60_000, leaving.signal);
  const stays = waits.newerThan(after, 60_000, never);
  expect(await refusal(waits.newerThan(after, 60_000, never))).toBe('limit_reached');
  leaving.abort();
  await left;
  const next = waits.newerThan(after, 60_000, never);
  expect(await hasEnded(next)).toBe(false);
  await waits.newerThan({ ...after, revision: 1 }, 60_000, never); // what is there already takes no place
  await registry.close();
  await Promise.all([stays, next]);
});

test('whoever left before the wait began is not waited for', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  await registry.newerThan(registry.position(), 60_000, AbortSignal.abort());
});
