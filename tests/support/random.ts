import { createRandom } from '../../packages/registry/src/testing/random.ts';

/** The same seed, the same numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  const { below } = createRandom(seed);
  return () => below(2 ** 32) / 2 ** 32;
}

/** The seeds of a test: `REG_TEST_SEED` alone where it is set, to run again what failed. */
export function seeds(usual: readonly number[]): readonly number[] {
  const { REG_TEST_SEED: wanted } = process.env;
  return wanted ? [Number(wanted)] : usual;
}

/** The whole numbers from 1 to `last`, as seeds. */
export function seedsUpTo(last: number): readonly number[] {
  return seeds(Array.from({ length: last }, (_, index) => index + 1));
}
