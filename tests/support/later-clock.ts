import { type Clock, createSystemClock } from '@reg/registry';

/** The system's clock, and as much later as a test says. */
export function createLaterClock(): Clock & { laterMs: number } {
  const system = createSystemClock();
  const clock = { ...system, laterMs: 0, now: () => system.now() + clock.laterMs };
  return clock;
}
