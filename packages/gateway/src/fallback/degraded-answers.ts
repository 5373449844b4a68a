// Which services a fallback answers for, for health: counted since the start, and named while it goes on.
export interface DegradedAnswers {
  count(service: string): void;
  /** Since the start. */
  readonly total: number;
  /** Services with one in the last minute, and since when without such a pause (milliseconds since 1970). */
  lately(): { readonly service: string; readonly since: number }[];
}

const latelyMs = 60_000;

/** More are counted and not named. */
const namedAtMost = 100;

export function createDegradedAnswers(now: () => number): DegradedAnswers {
  const times = new Map<string, { readonly since: number; readonly lastAt: number }>();
  let total = 0;

  function forgetOld(at: number): void {
    for (const [service, { lastAt }] of times) if (at - lastAt > latelyMs) times.delete(service);
  }

  return {
    count(service) {
      total++;
      const at = now();
      forgetOld(at);
      if (!times.has(service) && times.size >= namedAtMost) return;
      times.set(service, { since: times.get(service)?.since ?? at, lastAt: at });
    },
    get total() {
      return total;
    },
    lately() {
      forgetOld(now());
      return [...times].map(([service, { since }]) => ({ service, since }));
    },
  };
}
