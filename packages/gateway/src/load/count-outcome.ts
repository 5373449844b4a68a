// What the head of an answer, or its want, says of how loaded the service is.
import type { Exchange } from '../exchange.ts';
import type { Merged } from '../stages/merge-parts.ts';
import { isRefusal, type Refusal } from '../stages/refusal.ts';
import type { Answer } from '../upstreams/attempt.ts';

/** There was no instance to ask, or none that answered in time: more of them would have. */
const shortages = new Set(['no_instances', 'upstream_unreachable', 'upstream_timeout']);

export function countOutcome(exchange: Exchange, outcome: Answer | Merged | Refusal, now: number): void {
  const { meter } = exchange;
  if (isRefusal(outcome)) {
    if (shortages.has(outcome.code)) meter?.refused();
    return;
  }
  meter?.answered(now - exchange.startedAt);
  if (outcome.kind !== 'answer' || outcome.status !== 101) return;
  meter?.ended(); // a tunnel may be open for days, with nothing to do
  exchange.meter = undefined;
}
