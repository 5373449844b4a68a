import { type RegError, regError } from '@reg/schema/problem';

/** An option that is none, by its name. */
export function invalid(field: string, message: string): RegError {
  return regError('invalid_request', `${field}: ${message}`, { errors: [{ field, message }] });
}

/** A text like `5s` would count as no time at all: a timer and a comparison make NaN of it. */
export function checkDuration(field: string, durationMs: unknown): void {
  if (typeof durationMs !== 'number' || !(durationMs >= 0))
    throw invalid(field, 'must be a number of milliseconds');
}
