// Whether the database answers, as health tells it: by the beats that every registry writes.
import type { Clock } from '@reg/registry';

/** Six beats missed. */
const awayAfterMs = 3_000;

export interface Presence {
  /** It has taken a beat. */
  heard(): void;
  /** Undefined: it answers. */
  awaySince(): number | undefined;
  /** Undefined: it never was away. */
  backSince(): number | undefined;
}

export function createPresence(clock: Clock): Presence {
  let heardAt = clock.now();
  let backSince: number | undefined;
  const isAway = () => clock.now() - heardAt > awayAfterMs;
  return {
    heard() {
      if (isAway()) backSince = clock.now();
      heardAt = clock.now();
    },
    awaySince: () => (isAway() ? heardAt : undefined),
    backSince: () => backSince,
  };
}
