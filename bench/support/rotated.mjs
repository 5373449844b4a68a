/** Each is first in turn: who follows the slowest, or a change of the case, pays for it. */
export function rotated(all, by) {
  const first = by % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}
