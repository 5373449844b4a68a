// 501 502 503 504: pick an instance, forward, and try another where that is safe.
import type { ServicePolicy } from '@reg/schema';
import { isRegError } from '@reg/schema/problem';
import type { Accepted, Exchange } from '../exchange.ts';
import { type Choice, methodClass, type Route } from '../routes/route.ts';
import { pickInstance } from '../selectors/round-robin.ts';
import type { Answer, Attempt, Failure } from '../upstreams/attempt.ts';
import { limitedBody } from '../upstreams/limited-body.ts';
import { mayRetry } from '../upstreams/may-retry.ts';
import { RequestBody } from '../upstreams/request-body.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import type { Grant } from './authorize.ts';
import { type ForwardOptions, forward, openTunnel } from './forward.ts';
import { speaksNoHttp } from './match-route.ts';
import { type Merged, mergeParts } from './merge-parts.ts';
import { isRefusal, type Refusal, refuse } from './refusal.ts';

export interface DispatchOptions {
  /** Until the head of an attempt's answer. */
  readonly upstreamTimeoutMs: number;
  /** Until the head of an answer, over all attempts. */
  readonly requestTimeoutMs: number;
  /** Nothing comes of an answer; of a WebSocket, nothing passes either way. */
  readonly idleTimeoutMs: number;
  readonly now: () => number;
  /** When the exchange must be over, for whose fallback this is: milliseconds since 1970. @default never */
  readonly endsAt?: number | undefined;
  /** What stands for the route in the newest table, if that is another (`laterRoute`). */
  readonly later: () => Route | undefined;
}

/** How long others are preferred to an instance that broke: the registry knows by then, or it is back. */
const avoidMs = 1_000;

/** Of a service whose policy says nothing: the gateway's own hold. */
const none: NonNullable<ServicePolicy['timeouts']> = {};

/** @returns an answer whose body waits for its reader, and the upstream stays busy until it ends */
export async function dispatch(
  grant: Grant,
  route: Route,
  accepted: Accepted,
  exchange: Exchange,
  {
    upstreamTimeoutMs,
    requestTimeoutMs,
    idleTimeoutMs,
    endsAt: latestEnd = Number.POSITIVE_INFINITY,
    now,
    later,
  }: DispatchOptions,
): Promise<Answer | Merged | Refusal> {
  const { request, response } = exchange;
  const choices = choicesFor(route, request.method);
  if (isRefusal(choices)) return choices;
  const attemptsBefore = exchange.attempts; // those of the service whose fallback this is
  const timeouts = route.definition.policy?.timeouts ?? none;
  const { firstByteMs = upstreamTimeoutMs, idleMs = idleTimeoutMs, totalMs } = timeouts;
  // A policy that waits longer for one attempt means it.
  const headWithinMs = Math.max(requestTimeoutMs, timeouts.firstByteMs ?? 0);
  const endsAt = Math.min(latestEnd, exchange.startedAt + (totalMs ?? Number.POSITIVE_INFINITY));
  const deadlineAt = Math.min(exchange.startedAt + headWithinMs, endsAt);
  const ends = endsAt < Number.POSITIVE_INFINITY;
  const body = accepted.payload && new RequestBody(accepted.payload);
  const tried: Upstream[] = [];
  let fresh = false;
  let refusal = noInstances();
  for (;;) {
    const choice =
      pickInstance(choices, route.rotation, tried, now()) ??
      (exchange.attempts > attemptsBefore ? newcomer(later(), request.method, tried, now()) : undefined);
    if (!choice) return refusal;
    exchange.attempts++;
    const { upstream, target } = choice;
    exchange.upstream = upstream;
    const timeoutMs = Math.max(1, Math.min(firstByteMs, deadlineAt - now()));
    const attempt: ForwardOptions = { exchange, accepted, body, grant, target, fresh, timeoutMs, idleMs };
    const result: Answer | Merged | Refusal | Failure = upstream.instance.merge
      ? await mergeParts({ exchange, accepted, grant, upstream, timeoutMs })
      : await answerOf(
          request.isUpgrade ? openTunnel(attempt) : forward(attempt),
          exchange,
          ends ? timeoutMs : undefined,
        );
    if (result.kind === 'answer' && ends) {
      return { ...result, body: limitedBody(result.body, Math.max(1, endsAt - now())) };
    }
    if (result.kind !== 'failure') return result;
    if (isRegError(result.cause)) throw result.cause; // the request's own fault, its body's: nothing to learn
    if (response.gone) return refusalFor(result); // nobody waits, and it says nothing of the instance

    learn(choice, result, now());
    exchange.failure = reasonOf(result.cause);
    refusal = refusalFor(result);
    // A used connection may close just when it is used again: that says nothing of the instance, so it
    // may be tried once more, by a connection of its own.
    fresh = result.reused;
    if (!result.reused) tried.push(upstream);
    const replayable = accepted.payload === undefined;
    const { reached, timedOut } = result;
    const { method } = request;
    const attempts = exchange.attempts - attemptsBefore;
    const clientGone = response.gone;
    if (!mayRetry({ reached, timedOut, method, replayable, attempts, clientGone, deadlineAt, now: now() })) {
      return refusal;
    }
  }
}

/**
 * All that the exchange began with failed, and it may be tried again: an instance that was restarted or
 * handed over meanwhile is only in the newest table.
 */
function newcomer(
  later: Route | undefined,
  method: string,
  tried: readonly Upstream[],
  now: number,
): Choice | undefined {
  return later && pickInstance(later.choices[methodClass(method)], later.rotation, tried, now);
}

/** Who may be asked, in the order of the table; none, where all drain or are gone. */
export function choicesFor(route: Route, method: string): readonly Choice[] | Refusal {
  if (route.upstreams.length > 0 && speaksNoHttp(route)) {
    return refuse('endpoint_type_unsupported', 'its endpoints are all of type amqp, which is not spoken yet');
  }
  return route.choices[methodClass(method)];
}

export function noInstances(): Refusal {
  return refuse('no_instances', 'no instance of it takes new requests', ['Retry-After', '1']);
}

/**
 * Until the answer's head is there, a client that leaves ends the attempt.
 * @param expiresMs also while it connects, which has a limit of its own; undefined: that is enough
 */
async function answerOf(
  attempt: Pick<Attempt, 'result' | 'cancel' | 'expire'>,
  { response }: Exchange,
  expiresMs: number | undefined,
): Promise<Answer | Failure> {
  if (response.gone) attempt.cancel();
  response.listener = { drained: () => undefined, gone: () => attempt.cancel() };
  if (expiresMs === undefined) return attempt.result;
  const timer = setTimeout(() => attempt.expire(), expiresMs);
  const result = await attempt.result;
  clearTimeout(timer);
  return result;
}

function learn({ upstream }: Choice, { reached, reused, timedOut }: Failure, now: number): void {
  upstream.condition.lastFailure = { at: now, reached, timedOut };
  if (reached === 'answering' || reused || (timedOut && reached === 'sent')) return;
  upstream.condition.avoidUntil = now + avoidMs;
}

/** An AggregateError of several addresses has a code and no message. */
function reasonOf(cause: Error): string {
  const code = 'code' in cause ? String(cause.code) : cause.name;
  return (cause.message || code).slice(0, 200);
}

/** No address is told: who may call a service need not know where it runs. The log has it. */
function refusalFor({ reached, timedOut }: Failure): Refusal {
  if (timedOut) return refuse('upstream_timeout', 'the service did not answer in time');
  if (reached === 'nothing') return refuse('upstream_unreachable', 'no connection to the service');
  return refuse('upstream_failed', 'the service broke off without an answer');
}
