// What would become of a request, and why. It asks the stages themselves, one after the other, about a request
// that nobody sent; where a real one would end, it goes on as far as there is something to tell. Nothing is
// sent, counted, logged or moved on: round robin stands where it stood.
import type { ExplainQuestion, Explanation, GatewayHealth } from '@reg/schema';
import { problems } from '@reg/schema/problem';
import type { Accepted, GatewayRequest } from '../exchange.ts';
import type { KeptAnswers } from '../fallback/kept-answers.ts';
import type { Choice, Route } from '../routes/route.ts';
import type { RouteTable } from '../routes/route-table.ts';
import { pickInstance } from '../selectors/round-robin.ts';
import { accept } from '../stages/accept.ts';
import { authenticate } from '../stages/authenticate.ts';
import { authorize } from '../stages/authorize.ts';
import { choicesFor, noInstances } from '../stages/dispatch.ts';
import { matchRoute } from '../stages/match-route.ts';
import { ownAnswer } from '../stages/own-answer.ts';
import { isRefusal, type Refusal } from '../stages/refusal.ts';
import type { Principal, TokenVerifier } from '../tokens/verifier.ts';
import { mayRetry } from '../upstreams/may-retry.ts';
import type { Upstream } from '../upstreams/upstream.ts';
import { type ExplainedSource, explainFallback } from './explain-fallback.ts';
import { explainDeparted, explainInstance } from './explain-instance.ts';
import { nearMisses } from './near-misses.ts';

export interface ExplainOptions {
  readonly table: RouteTable | undefined;
  readonly tokens: TokenVerifier;
  readonly health: () => GatewayHealth;
  /** Whether the registry behind this gateway gets it. */
  readonly isForRegistry: (target: string) => boolean;
  readonly kept: KeptAnswers;
  readonly routeOf: (service: string) => Route | undefined;
  readonly now: number;
}

type Outcome = Explanation['outcome'];
type Caller = Explanation['caller'];

export async function explain(
  question: ExplainQuestion,
  { table, tokens, health, isForRegistry, kept, routeOf, now }: ExplainOptions,
): Promise<Explanation> {
  const request = requestOf(question);
  const { method } = request;
  const about = {
    method,
    path: question.target.replace(/\?.*$/s, ''),
    view: viewOf(health()),
    retry: retryOf(method),
  };
  const forRegistry = isForRegistry(question.target);
  const accepted = accept(request, Number.POSITIVE_INFINITY, forRegistry);
  if (isRefusal(accepted)) return { ...about, ...nothing, outcome: refused('accept', accepted) };
  if (forRegistry) return { ...about, ...nothing, outcome: registryOutcome };

  const own = ownAnswer(request, accepted.path, health);
  if (own) return { ...about, ...nothing, outcome: refusedAt('match', own) ?? ownOutcome };
  const matched = matchRoute({ table, request }, accepted.path);
  const route = isRefusal(matched) ? table?.find(accepted.path) : matched; // 405 has one too
  const misses = await nearMisses(table?.routes() ?? [], accepted.path, route);
  if (!route || (isRefusal(matched) && matched.code === 'route_not_found')) {
    const outcome = refused('match', isRefusal(matched) ? matched : noInstances());
    return { ...about, ...nothing, nearMisses: misses, outcome };
  }
  const { definition } = route;
  const principal = await authenticate(request.headers, definition.access, tokens);
  const grant = isRefusal(principal) ? principal : authorize(principal, definition);
  const choices = choicesFor(route, method);
  const order = isRefusal(choices) ? [] : orderOf(choices, route, method, now);
  const fallback = isRefusal(grant)
    ? undefined
    : await explainFallback({ request, grant, tokens, kept, routeOf, now });
  const outcome =
    refusedAt('match', matched) ??
    refusedAt('authenticate', principal) ??
    refusedAt('authorize', grant) ??
    refusedAt('dispatch', choices) ??
    dispatched(order, fallback);
  return {
    ...about,
    outcome,
    route: {
      service: definition.name,
      url: definition.url,
      access: definition.access,
      authorizedRoles: definition.authorizedRoles,
    },
    nearMisses: misses,
    caller: callerOf(principal),
    instances: instancesOf(route, accepted, method, isRefusal(choices) ? [] : choices, now),
    order: order.map(({ upstream }) => upstream.instance.instanceId),
    ...(fallback && { fallback }),
  };
}

const nothing = { nearMisses: [], instances: [], order: [] };

const ownOutcome: Outcome = {
  ok: false,
  stage: 'match',
  status: 200,
  detail: 'the gateway answers it itself',
};

const registryOutcome: Outcome = {
  ok: false,
  stage: 'match',
  detail: 'the registry behind the gateway answers it, by credentials of its own',
};

function viewOf({ stale, position }: GatewayHealth): Explanation['view'] {
  return { stale, position };
}

/** As if it had come over a socket, without a body. */
function requestOf({ method, target, token }: ExplainQuestion): GatewayRequest {
  return {
    method,
    target,
    httpVersion: '1.1',
    headers: ['Host', 'localhost', ...(token === undefined ? [] : ['Authorization', `Bearer ${token}`])],
    remoteAddress: '127.0.0.1',
    encrypted: false,
    isUpgrade: false,
    body: { start: (sink) => sink.end(), resume: () => undefined, cancel: () => undefined },
  };
}

function refusedAt(stage: Outcome['stage'], result: unknown): Outcome | undefined {
  return isRefusal(result) ? refused(stage, result) : undefined;
}

function refused(stage: Outcome['stage'], { code, detail }: Refusal): Outcome {
  return { ok: false, stage, status: problems[code].status, code, detail };
}

function dispatched([first]: readonly Choice[], fallback: readonly ExplainedSource[] = []): Outcome {
  const standIn = fallback.find(({ answers }) => answers);
  if (!first && standIn) {
    const { kind, status, text } = standIn;
    const detail = `its fallback answers (${kind}): ${text}`;
    return { ok: false, stage: 'dispatch', ...(status !== undefined && { status }), detail };
  }
  if (!first) return refused('dispatch', noInstances());
  const { instance } = first.upstream;
  const what = instance.merge ? 'to all endpoints, whose answers are merged, of' : 'to';
  return { ok: true, stage: 'dispatch', detail: `it goes ${what} ${instance.instanceId}` };
}

/** As `dispatch` would try them if none could be connected to; on a copy of where round robin stands. */
function orderOf(choices: readonly Choice[], route: Route, method: string, now: number): Choice[] {
  const rotation = { ...route.rotation };
  const order: Choice[] = [];
  const tried: Upstream[] = [];
  for (;;) {
    const choice = pickInstance(choices, rotation, tried, now);
    if (!choice) return order;
    order.push(choice);
    tried.push(choice.upstream);
    if (!retries({ method, reached: 'nothing', attempts: order.length })) return order;
  }
}

function retryOf(method: string): Explanation['retry'] {
  return {
    unconnected: retries({ method, reached: 'nothing' }),
    unanswered: retries({ method, reached: 'sent' }),
    unansweredWithBody: retries({ method, reached: 'sent', replayable: false }),
  };
}

interface Retry {
  readonly method: string;
  readonly reached: 'nothing' | 'sent';
  readonly attempts?: number;
  readonly replayable?: boolean;
}

/** In time, and while the client waits. */
function retries({ method, reached, attempts = 1, replayable = true }: Retry): boolean {
  const timely = { timedOut: false, clientGone: false, deadlineAt: 1, now: 0 };
  return mayRetry({ reached, method, replayable, attempts, ...timely });
}

function callerOf(principal: Principal | undefined | Refusal): Caller {
  if (principal === undefined) return { token: 'not_asked' };
  if (isRefusal(principal)) return { token: 'refused', detail: principal.detail };
  return { token: 'valid', subject: principal.subject, roles: [...principal.roles] };
}

function instancesOf(
  route: Route,
  { path }: Accepted,
  method: string,
  choices: readonly Choice[],
  now: number,
): Explanation['instances'] {
  return [
    ...route.upstreams.map((one) => explainInstance(one, { route, method, path, choices, now })),
    ...route.departed.map((one) => explainDeparted(one, now)),
  ];
}
