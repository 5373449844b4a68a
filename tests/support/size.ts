/** `pnpm test:full` runs the whole of what is promised; `pnpm test` a seeded, reduced count. */
const full = process.env.REG_TEST_SIZE === 'full';

export function count({ reduced, whole }: { reduced: number; whole: number }): number {
  return full ? whole : reduced;
}

/** How long the database is away. `REG_TEST_AWAY_MS` has it: by hand, an hour of it can be seen. */
export const awayMs = Number(process.env.REG_TEST_AWAY_MS) || count({ reduced: 9_000, whole: 60_000 });
