// Who reads along: snapshots, changes, gateways and their word.
import { expect, test } from 'vitest';
import { bodyOf, nameOf, openRegistry, refusal } from './testing/open-registry.ts';

const one = nameOf('tickets', 'one');

test('a snapshot is everything at one revision, and the same object until the next change', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { generation } = await registry.register(one, bodyOf(one));
  const snapshot = registry.snapshot();
  await registry.renew(one, generation);
  expect(registry.snapshot()).toBe(snapshot);
  await registry.drain(one, { generation });
  expect(snapshot.services[0]?.instances[0]?.state).toBe('up');
  expect(registry.snapshot()).toMatchObject({
    ...registry.position(),
    services: [{ instances: [{ state: 'draining' }] }],
  });
});

test('waitFor gateways: the reply waits for their word, and names who is missing at the limit', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const following = new AbortController();
  const sets = registry.changes(registry.position(), following.signal, 'gate')[Symbol.asyncIterator]();
  const next = sets.next();
  const replied = registry.register(one, bodyOf(one), { waitFor: 'gateways' });
  const { value } = await next;
  registry.reportApplied('gate', { epoch: registry.position().epoch, revision: value.revision });
  expect((await replied).missing).toEqual([]);
  expect(await registry.register(one, bodyOf(one))).not.toHaveProperty('missing');

  const drained = registry.drain(one, { force: true }, { waitFor: 'gateways' });
  await clock.advance(1_000);
  expect((await drained).missing).toEqual(['gate']);
  following.abort();
  await clock.advance(2_000);
  expect(registry.health().gateways).toEqual([]);
});

test('a gateway counts as connected from the call on, even where nobody reads yet; its end is the abort', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const following = new AbortController();
  registry.changes(registry.position(), following.signal, 'gate');
  expect(registry.health().gateways).toEqual([{ id: 'gate', epoch: registry.position().epoch, revision: 0 }]);
  following.abort();
  await clock.advance(2_000);
  expect(registry.health().gateways).toEqual([]);
  registry.changes(registry.position(), AbortSignal.abort(), 'gate');
  await clock.advance(2_000);
  expect(registry.health().gateways).toEqual([]);
});

test('a position that cannot be followed is refused at once, and opens no watch', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const { signal } = new AbortController();
  expect(await refusal(() => registry.changes({ epoch: 'other', revision: 1 }, signal, 'gate'))).toBe(
    'compacted',
  );
  expect(registry.health().gateways).toEqual([]);
});

test('the catalog of a gateway in the same process: snapshot, changes, applied; it counts as connected', async () => {
  await using opened = openRegistry();
  const { registry } = opened;
  const catalog = registry.catalog('inside');
  const following = new AbortController();
  const snapshot = await catalog.snapshot(following.signal);
  const sets = catalog.changes(snapshot, following.signal)[Symbol.asyncIterator]();
  const next = sets.next();
  expect(registry.health().gateways).toMatchObject([{ id: 'inside' }]);
  const replied = registry.register(one, bodyOf(one), { waitFor: 'gateways' });
  const { value } = await next;
  await catalog.applied({ epoch: snapshot.epoch, revision: value.revision });
  expect((await replied).missing).toEqual([]);
  expect(
    await refusal(
      catalog.changes({ epoch: 'other', revision: 0 }, following.signal)[Symbol.asyncIterator]().next(),
    ),
  ).toBe('compacted');

  const last = sets.next();
  await registry.close();
  expect(await refusal(last)).toBe('registry_unavailable');
});
