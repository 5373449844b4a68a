// What is asked of a registry that is away is asked again, for a while.
import { setTimeout as sleep } from 'node:timers/promises';
import { isRegError } from '@reg/schema/problem';

const firstPauseMs = 100;
const maxPauseMs = 2_000;

interface RetryOptions {
  /** No try begins later than this; 0: one try. */
  readonly retryMs: number;
  /** Ends the waiting, never a try that is under way: its answer is known then. */
  readonly signal?: AbortSignal | undefined;
  /** Told once, at the first failure. */
  readonly tell?: ((line: string) => void) | undefined;
}

/**
 * @param work safe to repeat
 * @throws the last failure that may pass (`retryable`), the first that may not, or the reason of `signal`
 */
export async function retrying<Result>(
  work: () => Promise<Result>,
  { retryMs, signal, tell }: RetryOptions,
): Promise<Result> {
  const end = performance.now() + retryMs;
  for (let tries = 0; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      const leftMs = end - performance.now();
      if (!isRegError(error) || !error.retryable || leftMs <= 0) throw error;
      if (tries === 0) tell?.(`${error.message}; trying again for ${Math.ceil(retryMs / 1_000)} s`);
      await pause(Math.min(pauseMs(tries), leftMs), signal);
    }
  }
}

/** Many that wait for one registry do not come back at one moment. */
function pauseMs(tries: number): number {
  return Math.min(firstPauseMs * 2 ** tries, maxPauseMs) * (0.75 + Math.random() / 2);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted(); // node's AbortError says less than the reason
    throw error;
  }
}

/** Bounds each try too: a silent registry is waited for until the retrying ends, and no longer. */
export function answerBy(retryMs: number): number | undefined {
  return retryMs > 0 ? performance.now() + retryMs : undefined;
}
