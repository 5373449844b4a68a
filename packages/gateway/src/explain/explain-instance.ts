// Pure: one instance's part of an explanation, and why it gets such a request or does not.
import type { ExplainedInstance } from '@reg/schema';
import type { Choice, Departed, Route } from '../routes/route.ts';
import { upstreamPath } from '../stages/forward.ts';
import { partMethod } from '../stages/part-request.ts';
import type { FailedAttempt } from '../upstreams/may-retry.ts';
import type { Target, Upstream } from '../upstreams/upstream.ts';

type Reason = ExplainedInstance['reasons'][number];

export interface InstanceQuestion {
  readonly route: Route;
  readonly method: string;
  /** Of the request, without its query. */
  readonly path: string;
  /** Who may be asked, as `dispatch` has it. */
  readonly choices: readonly Choice[];
  readonly now: number;
}

export function explainInstance(upstream: Upstream, question: InstanceQuestion): ExplainedInstance {
  const { route, method, path, choices, now } = question;
  const { instance, targets } = upstream;
  const choice = choices.find((one) => one.upstream === upstream);
  const urlOf = (target: Target) => target.pool.origin + upstreamPath(target, route.definition.url, path);
  return {
    instanceId: instance.instanceId,
    in: choice !== undefined,
    reasons: [...standing(upstream, choice, method), ...history(upstream, now)],
    ...(choice && !instance.merge && { url: urlOf(choice.target) }),
    ...(instance.merge && {
      partial: instance.partial ?? 'refuse',
      parts: targets.map((target) => ({
        as: target.as,
        type: target.type,
        method: partMethod(target.type, method),
        url: urlOf(target),
      })),
    }),
  };
}

/** One that is gone already, as long as it is remembered. */
export function explainDeparted({ instanceId, how, at, reason }: Departed, now: number): ExplainedInstance {
  const ago = timeText(now - at);
  const why = reason === undefined ? '' : ` (${reason})`;
  const texts = {
    expired: `its lease ended ${ago} ago${why}`,
    unregistered: `it was unregistered ${ago} ago${why}`,
    unconfirmed: `only an earlier epoch of the registry knew it, until ${ago} ago`,
  };
  return { instanceId, in: false, reasons: [{ code: how, text: texts[how] }] };
}

/** The choice is the table's own; here is only why. */
function standing({ instance, targets }: Upstream, choice: Choice | undefined, method: string): Reason[] {
  if (choice) return [{ code: 'up', text: 'it is up' }];
  if (instance.state !== 'up') {
    return [{ code: instance.state, text: 'it finishes what it has and gets nothing new' }];
  }
  const types = [...new Set(instance.endpoints.map(({ type }) => type))].join(', ');
  if (targets.length === 0)
    return [{ code: 'speaks_no_http', text: `its endpoints are of type ${types}, which is not spoken yet` }];
  if (instance.merge)
    return [{ code: 'method_unfit', text: `its endpoints are merged, which takes no ${method}` }];
  return [{ code: 'method_unfit', text: `none of its endpoints (${types}) takes ${method}` }];
}

function history({ instance, condition, staleUntil }: Upstream, now: number): Reason[] {
  const reasons: Reason[] = [];
  if (instance.deprecated) {
    const day = new Date(instance.deprecated.sunset).toISOString().slice(0, 10);
    reasons.push({ code: 'deprecated', text: `it may be gone from ${day} on, and its answers say so` });
  }
  if (staleUntil !== undefined) {
    const text = `only an earlier epoch of the registry knows it: it goes in ${timeText(staleUntil - now)}`;
    reasons.push({ code: 'unconfirmed', text });
  }
  const { avoidUntil, lastFailure } = condition;
  if (avoidUntil > now) {
    reasons.push({ code: 'avoided', text: `others are preferred for ${timeText(avoidUntil - now)}` });
  }
  if (lastFailure) {
    const text = `${failureText(lastFailure)} ${timeText(now - lastFailure.at)} ago`;
    reasons.push({ code: 'last_failure', text });
  }
  return reasons;
}

function failureText({ reached, timedOut }: FailedAttempt): string {
  if (reached === 'nothing') return timedOut ? 'connecting took too long' : 'it could not be connected to';
  return timedOut ? 'it did not answer in time' : 'it broke off without an answer';
}

function timeText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 90_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
