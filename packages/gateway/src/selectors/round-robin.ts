// Which instance is tried: in turn, over those that live. `weight` is not looked at: an instance of
// weight 0 gets its turn like the others.
import type { Choice } from '../routes/route.ts';
import type { Upstream } from '../upstreams/upstream.ts';

/**
 * The next in turn that was not tried yet; one whose connection failed a moment ago only when no other
 * is left. @returns undefined when all were tried
 */
export function pickInstance(
  choices: readonly Choice[],
  rotation: { next: number },
  tried: readonly Upstream[],
  now: number,
): Choice | undefined {
  const start = rotation.next;
  let spare: Choice | undefined;
  for (let step = 0; step < choices.length; step++) {
    const at = (start + step) % choices.length;
    const choice = choices[at];
    if (!choice || tried.includes(choice.upstream)) continue;
    if (choice.upstream.condition.avoidUntil > now) {
      spare ??= choice;
      continue;
    }
    rotation.next = (at + 1) % choices.length;
    return choice;
  }
  return spare;
}
