// Two registries over one store.
import { expect, test } from 'vitest';
import { createMemoryStore } from './memory-store.ts';
import { createRegistry } from './registry.ts';
import type { Store } from './store.ts';
import { createFakeClock } from './testing/index.ts';
import { bodyOf, nameOf } from './testing/open-registry.ts';

/** A registry whose reaper looks when it is told to. */
function openByHand(store: Store, clock: ReturnType<typeof createFakeClock>) {
  let look = () => {};
  const byHand = {
    ...clock,
    every(_ms: number, run: () => void) {
      look = run;
      return () => {};
    },
  };
  return { registry: createRegistry({ store, clock: byHand }), look: () => look() };
}

/** A hundred instances, kept by renewals at the second registry, and both looking all the time. */
async function openFleet() {
  const clock = createFakeClock();
  const store = createMemoryStore({ clock });
  const [one, two] = [openByHand(store, clock), openByHand(store, clock)];
  const names = Array.from({ length: 100 }, (_, index) => nameOf('fleet', `i${index}`));
  const generations = new Map<string, number>();
  for (const name of names) {
    generations.set(name.id, (await one.registry.register(name, bodyOf(name))).generation);
  }
  async function lookOnce(...registries: readonly ReturnType<typeof openByHand>[]) {
    for (const { look } of registries) look();
    await clock.advance(0);
  }
  return {
    one,
    two,
    lookOnce,
    listed: () => one.registry.health().instances,
    /** Five seconds in which only so many renew; at their end nobody has looked yet. */
    async pass(living: number) {
      for (let second = 1; second <= 5; second++) {
        await clock.advance(1_000);
        for (const name of names.slice(0, living)) {
          await two.registry.renew(name, generations.get(name.id) ?? 0);
        }
        await lookOnce(...(second < 5 ? [one, two] : []));
      }
    },
    async [Symbol.asyncDispose]() {
      await one.registry.close();
      await two.registry.close();
    },
  };
}

// Story: each registry counted its own verdicts alone. A switch that died port by port was seen by both, one half
// by each, and neither held back.
test('what the other registry expired counts when this one decides whether to hold back', async () => {
  await using fleet = await openFleet();
  await fleet.pass(90);
  await fleet.pass(80);
  await fleet.lookOnce(fleet.one);
  expect(fleet.listed()).toBe(90); // ten in a hundred: they died

  await fleet.pass(80);
  await fleet.lookOnce(fleet.two);
  expect([fleet.listed(), fleet.two.registry.health().holdingBack]).toEqual([90, true]);
});

test('what a registry expired itself counts once', async () => {
  await using fleet = await openFleet();
  await fleet.pass(90);
  await fleet.pass(85);
  await fleet.lookOnce(fleet.one);
  expect(fleet.listed()).toBe(90);

  await fleet.pass(85);
  await fleet.lookOnce(fleet.one);
  expect([fleet.listed(), fleet.one.registry.health().holdingBack]).toEqual([85, false]);
});
