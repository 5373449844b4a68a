// Story: the registry of old took any unregister at its word. A unit that stopped slowly unlisted its own
// successor; a process that woke from a pause registered itself over the one that had replaced it.
import { expect, test } from 'vitest';
import { seedsUpTo } from '../../../tests/support/random.ts';
import { bodyOf, nameOf, type OpenedRegistry, openRegistry, refusal } from './testing/open-registry.ts';
import { createRandom } from './testing/random.ts';

const races = 1_000;
const name = nameOf('tickets', 'one');

type Word = () => Promise<unknown>;

/** The words of both runs in any order that keeps each run's own order. */
async function interleave(seed: number, ...runs: Word[][]): Promise<void> {
  const random = createRandom(seed);
  const left = runs.map((words) => [...words]);
  for (let waiting = left.filter(({ length }) => length > 0); waiting.length > 0; ) {
    const [first, ...others] = waiting;
    if (!first) return;
    await random.pick([first, ...others]).shift()?.();
    waiting = left.filter(({ length }) => length > 0);
  }
}

test(`a late unregister of an old run leaves the new run listed (${races} races)`, async () => {
  for (const seed of seedsUpTo(races)) {
    await using opened = openRegistry();
    const { registry } = opened;
    const old = await registry.register(name, bodyOf(name, { runId: 'old' }));
    let young = 0;
    const takesOver: Word[] = [
      async () => {
        young = (await registry.register(name, bodyOf(name, { runId: 'young' }))).generation;
      },
      () => registry.renew(name, young),
    ];
    const leaves: Word[] = [
      () => refusal(registry.renew(name, old.generation)),
      () => refusal(registry.drain(name, seed % 2 ? { runId: 'old' } : { generation: old.generation })),
      () => refusal(registry.unregister(name, seed % 2 ? { runId: 'old' } : { generation: old.generation })),
      () => refusal(registry.register(name, bodyOf(name, { runId: 'old' }))), // a duplicate, late
    ];
    await interleave(seed, takesOver, leaves);
    const { instances } = registry.getService('tickets');
    expect(instances, `seed ${seed}`).toMatchObject([{ runId: 'young', generation: young, state: 'up' }]);
  }
});

/** What a process says that slept through the end of its lease: it does not know yet. */
function wakes({ registry }: OpenedRegistry, generation: number): Word[] {
  const asItself = { runId: 'paused', generation };
  return [
    () => refusal(registry.renew(name, generation)),
    () => refusal(registry.register(name, bodyOf(name, asItself))),
    () => refusal(registry.register(name, bodyOf(name, { runId: 'paused' }))),
    () => refusal(registry.drain(name, { generation })),
    () => refusal(registry.unregister(name, { runId: 'paused' })),
  ];
}

test.each(['lives', 'has expired too', 'has left'])(
  'paused past its lease, a run cannot push out its successor, which %s',
  async (how) => {
    await using opened = openRegistry();
    const { registry, clock } = opened;
    const paused = await registry.register(name, bodyOf(name, { runId: 'paused' }));
    await clock.advance(11_000);
    const successor = await registry.register(name, bodyOf(name, { runId: 'successor' }));
    if (how === 'has expired too') await clock.advance(11_000);
    if (how === 'has left') await registry.unregister(name, { runId: 'successor' });
    const before = registry.position();
    for (const word of wakes(opened, paused.generation)) expect(await word()).toBe('generation_superseded');
    expect(registry.position()).toEqual(before);
    if (how === 'lives')
      expect(registry.getService('tickets').instances).toMatchObject([{ generation: successor.generation }]);
  },
);

test('paused past its lease without a successor, a run comes back as itself', async () => {
  await using opened = openRegistry();
  const { registry, clock } = opened;
  const { generation } = await registry.register(name, bodyOf(name, { runId: 'paused' }));
  await clock.advance(11_000);
  expect(await refusal(registry.renew(name, generation))).toBe('instance_not_found');
  expect(await registry.register(name, bodyOf(name, { runId: 'paused', generation }))).toMatchObject({
    generation,
  });
});
