// How many notes a registry takes: a burst, and so many a second after it. Pure.

export interface NoteAllowance {
  readonly left: number;
  /** When it was so, in milliseconds. */
  readonly at: number;
}

const burst = 2_000;
const perSecond = 200;

export const fullAllowance: NoteAllowance = { left: burst, at: 0 };

/** @returns what is left; undefined where that many are too many now */
export function takeNotes(
  { left, at }: NoteAllowance,
  count: number,
  now: number,
): NoteAllowance | undefined {
  const grown = Math.min(burst, left + (Math.max(0, now - at) * perSecond) / 1_000);
  return grown < count ? undefined : { left: grown - count, at: now };
}
