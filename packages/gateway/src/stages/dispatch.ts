// 501 502 503 504: pick an instance, forward, and try another where that is safe.
import { isRegError } from '@reg/schema/problem';
import type { Accepted, Exchange } from '../exchange.ts';
import { type Choice, methodClass, type Route } from '../routes/route.ts';
import { pickInstance } from '../selectors/round-robin.ts';
import type { Answer, Attempt, Failure } from '../upstreams/attempt.ts';
import { mayRetry } from '../upstreams/may-retry.ts';
import { RequestBody } from '../upstreams/request-body.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import type { Grant } from './authorize.ts';
import { type ForwardOptions, forward, openTunnel } from './forward.ts';
import { speaksNoHttp } from './match-route.ts';
import { type Merged, mergeParts } from './merge-parts.ts';
import { type Refusal, refuse } from './refusal.ts';

export interface DispatchOptions {
  /** Until the head of an attempt's answer. */
  readonly upstreamTimeoutMs: number;
  /** Until the head of an answer, over all attempts. */
  readonly requestTimeoutMs: number;
  readonly now: () => number;
}

/** How long others are preferred to an instance that broke: the registry knows by then, or it is back. */
const avoidMs = 1_000;

/** @returns an answer whose body waits for its reader, and the upstream stays busy until it ends */
export async function dispatch(
  grant: Grant,
  route: Route,
  accepted: Accepted,
  exchange: Exchange,
  { upstreamTimeoutMs, requestTimeoutMs, now }: DispatchOptions,
): Promise<Answer | Merged | Refusal> {
  if (route.upstreams.length > 0 && speaksNoHttp(route)) {
    return refuse('endpoint_type_unsupported', 'its endpoints are all of type amqp, which is not spoken yet');
  }
  const { request, response } = exchange;
  const choices = route.choices[methodClass(request.method)];
  const deadlineAt = exchange.startedAt + requestTimeoutMs;
  const body = accepted.payload && new RequestBody(accepted.payload);
  const tried: Upstream[] = [];
  let fresh = false;
  let refusal = refuse('no_instances', 'no instance of it takes new requests', ['Retry-After', '1']);
  for (;;) {
    const choice = pickInstance(choices, route.rotation, tried, now());
    if (!choice) return refusal;
    exchange.attempts++;
    const { upstream, target } = choice;
    exchange.upstream = upstream;
    const timeoutMs = Math.max(1, Math.min(upstreamTimeoutMs, deadlineAt - now()));
    const attempt: ForwardOptions = { exchange, accepted, body, grant, target, fresh, timeoutMs };
    const result: Answer | Merged | Refusal | Failure = upstream.instance.merge
      ? await mergeParts({ exchange, accepted, grant, upstream, timeoutMs })
      : await answerOf(request.isUpgrade ? openTunnel(attempt) : forward(attempt), exchange);
    if (result.kind !== 'failure') return result;
    if (isRegError(result.cause)) throw result.cause; // the request's own fault, its body's: nothing to learn
    if (response.gone) return refusalFor(result); // nobody waits, and it says nothing of the instance

    learn(choice, result, now());
    refusal = refusalFor(result);
    // A used connection may close just when it is used again: that says nothing of the instance, so it
    // may be tried once more, by a connection of its own.
    fresh = result.reused;
    if (!result.reused) tried.push(upstream);
    const replayable = accepted.payload === undefined;
    const { reached, timedOut } = result;
    const { method } = request;
    const { attempts } = exchange;
    const clientGone = response.gone;
    if (!mayRetry({ reached, timedOut, method, replayable, attempts, clientGone, deadlineAt, now: now() })) {
      return refusal;
    }
  }
}

/** Until the answer's head is there, a client that leaves ends the attempt. */
async function answerOf(
  attempt: Pick<Attempt, 'result' | 'cancel'>,
  { response }: Exchange,
): Promise<Answer | Failure> {
  if (response.gone) attempt.cancel();
  response.listener = { drained: () => undefined, gone: () => attempt.cancel() };
  return attempt.result;
}

function learn({ upstream }: Choice, { reached, reused, timedOut }: Failure, now: number): void {
  if (reached === 'answering' || reused || (timedOut && reached === 'sent')) return;
  upstream.condition.avoidUntil = now + avoidMs;
}

/** No address is told: who may call a service need not know where it runs. The log has it. */
function refusalFor({ reached, timedOut }: Failure): Refusal {
  if (timedOut) return refuse('upstream_timeout', 'the service did not answer in time');
  if (reached === 'nothing') return refuse('upstream_unreachable', 'no connection to the service');
  return refuse('upstream_failed', 'the service broke off without an answer');
}
