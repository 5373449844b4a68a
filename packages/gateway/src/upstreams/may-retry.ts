// Pure: may a request that failed be sent to another instance? Never twice where it may act twice.

export interface FailedAttempt {
  /**
   * `nothing`: never connected, so no byte of the request left. `sent`: some of it may have arrived, and
   * no byte came back. `answering`: the answer had begun.
   */
  readonly reached: 'nothing' | 'sent' | 'answering';
  readonly timedOut: boolean;
}

export interface RetryQuestion extends FailedAttempt {
  readonly method: string;
  /** It has no body, so nothing of it is used up. */
  readonly replayable: boolean;
  /** Attempts made, this one too. */
  readonly attempts: number;
  readonly clientGone: boolean;
  /** Milliseconds since 1970. */
  readonly deadlineAt: number;
  readonly now: number;
}

const maxAttempts = 3;

/** RFC 9110 §9.2.2, without TRACE, which is never forwarded. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Asked twice, it does what it does once. */
export function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}

export function mayRetry(question: RetryQuestion): boolean {
  const { reached, timedOut, method, replayable, attempts, clientGone, deadlineAt, now } = question;
  if (clientGone) return false;
  if (attempts >= maxAttempts) return false;
  if (now >= deadlineAt) return false;
  if (reached === 'nothing') return true;
  if (reached === 'answering') return false;
  if (timedOut) return false; // it works on it still: a second one would add to what makes it slow
  return replayable && isIdempotent(method);
}
