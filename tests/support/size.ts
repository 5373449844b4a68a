/** `pnpm test:full` runs the whole of what is promised; `pnpm test` a seeded, reduced count. */
const full = process.env.REG_TEST_SIZE === 'full';

export function count({ reduced, whole }: { reduced: number; whole: number }): number {
  return full ? whole : reduced;
}
