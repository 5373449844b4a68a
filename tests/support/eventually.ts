import { inspect } from 'node:util';

/**
 * Waits for a condition, never for a time: asks every 20 ms and returns the first answer that passes.
 * `ask` may throw; that counts as no. @throws with the last answer, when `withinMs` is over
 */
export async function eventually<Answer>(
  ask: () => Answer | Promise<Answer>,
  passes: (answer: Answer) => boolean = Boolean,
  { withinMs = 10_000 }: { withinMs?: number } = {},
): Promise<Answer> {
  const end = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (passes(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms; last answer: ${inspect(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
