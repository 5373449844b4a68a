// What a run does next to stay listed. Rules only: the run sleeps, sends and counts. Times are ms.
import type { RegError } from '@reg/schema/problem';
import { backoffMs } from './backoff.ts';

export interface Holding {
  readonly leaseMs: number;
  /** When the lease ends, if the registry received the last renewal the moment we sent it. */
  readonly leaseEndsAt: number;
  /** In a row. */
  readonly failures: number;
  /** It was registered, and the next token may be another: a 401 may pass. @default false */
  readonly tokenChanges?: boolean | undefined;
}

export type Step = { readonly do: 'renew' | 'register'; readonly inMs: number } | { readonly do: 'stop' };

/** A longer lease must not make a registry that was restarted wait longer for us. */
const maxRenewalMs = 10_000;

/** There is still something to keep. */
const renewAgainMs = 500;

/** @param error why the last step failed; left out where it succeeded */
export function nextStep(
  last: 'renew' | 'register',
  error: RegError | undefined,
  { leaseMs, leaseEndsAt, failures, tokenChanges = false }: Holding,
  now: number,
  random = Math.random(),
): Step {
  if (error === undefined)
    return { do: 'renew', inMs: Math.min(leaseMs / 3, maxRenewalMs) * (0.8 + random / 5) };
  if (error.code === 'generation_superseded') return { do: 'stop' }; // never push out the successor
  if (error.code === 'instance_not_found') return { do: 'register', inMs: 0 }; // it forgot us
  if (last === 'renew' && tokenChanges && error.status === 401) return { do: 'register', inMs: 0 }; // with a new one
  const refused = isPermanent(error) && !(tokenChanges && error.status === 401);
  if (last === 'register' && refused) return { do: 'stop' };
  if (last === 'renew' && now < leaseEndsAt) return { do: 'renew', inMs: renewAgainMs };
  // No later than a third of the lease: a registry whose database was away gives one lease to come back in.
  return { do: 'register', inMs: Math.min(backoffMs(failures, random), leaseMs / 3) };
}

/** Asking again would be answered the same. An `internal` fault of the registry may pass. */
export function isPermanent({ retryable, status }: RegError): boolean {
  return !retryable && status < 500;
}
