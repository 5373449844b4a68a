// What several say of the load of one service, each of its own part, as one.
import type { LoadFigures, ServiceLoad } from './load.ts';

/** What nobody says is left out: it is not nothing. */
export type KnownFigures = Pick<ServiceLoad, keyof LoadFigures>;

type Told = NonNullable<ServiceLoad['told']>;

/** Requests add up; the slowest says how slow it is. */
export function sumFigures(figures: readonly KnownFigures[]): KnownFigures {
  return figureByFigure(figures, (said, name) =>
    name === 'p99Ms' ? Math.max(...said) : said.reduce((sum, one) => sum + one),
  );
}

/** Of two that count the same requests. */
export function largerFigures(one: KnownFigures, other: KnownFigures): KnownFigures {
  return figureByFigure([one, other], (said) => Math.max(...said));
}

/** Who says `high` is believed as long as it holds; of several, the one whose word holds longest. */
export function loudest(told: readonly Told[]): Told | undefined {
  const high = told.filter(({ level }) => level === 'high');
  return (high.length > 0 ? high : told).toSorted((one, other) => other.until - one.until)[0];
}

const figureNames = ['inFlight', 'p99Ms', 'refusalsPerSecond', 'requestsPerSecond'] as const;

function figureByFigure(
  figures: readonly KnownFigures[],
  of: (said: readonly number[], name: keyof LoadFigures) => number,
): KnownFigures {
  const known: { [Name in keyof LoadFigures]?: number } = {};
  for (const name of figureNames) {
    const said = figures.flatMap((one) => one[name] ?? []);
    if (said.length > 0) known[name] = of(said, name);
  }
  return known;
}
