// 502 503 504 that need not be: what the policy of a service answers where no instance of it does, source by
// source. What a good answer passes by is kept here too, for the source `cache`.
import { policyDefaults, type ServicePolicy } from '@reg/schema';
import type { Accepted, Exchange, GatewayRequest } from '../exchange.ts';
import { type AnswerQuestion, answerKey } from '../fallback/answer-key.ts';
import type { DegradedAnswers } from '../fallback/degraded-answers.ts';
import { KeepingBody } from '../fallback/keeping-body.ts';
import { fieldText, type KeptAnswers } from '../fallback/kept-answers.ts';
import { maxKeptBytes, mayKeep, varyNames } from '../fallback/may-keep.ts';
import { standInHeaders, type WholeAnswer } from '../fallback/whole-answer.ts';
import type { Route } from '../routes/route.ts';
import type { TokenVerifier } from '../tokens/verifier.ts';
import type { Answer } from '../upstreams/attempt.ts';
import { isIdempotent } from '../upstreams/may-retry.ts';
import { authenticate } from './authenticate.ts';
import { authorize, type Grant } from './authorize.ts';
import { type DispatchOptions, dispatch } from './dispatch.ts';
import type { Merged } from './merge-parts.ts';
import { isRefusal, type Refusal } from './refusal.ts';

export type Fallback = NonNullable<ServicePolicy['fallback']>;
type Source = Fallback['use'][number];
type Outcome = Answer | Merged | WholeAnswer | Refusal;

export interface FallbackOptions {
  readonly fallback: Fallback;
  readonly grant: Grant;
  readonly accepted: Accepted;
  readonly exchange: Exchange;
  readonly dispatchOptions: DispatchOptions;
  readonly kept: KeptAnswers;
  readonly degraded: DegradedAnswers;
  readonly tokens: TokenVerifier;
  /** Where another service stands in the newest table. */
  readonly routeOf: (service: string) => Route | undefined;
}

/** Of all that `dispatch` refuses with, what says that no instance answered. */
const unanswered = new Set(['no_instances', 'upstream_unreachable', 'upstream_failed', 'upstream_timeout']);

/** @param outcome of `dispatch`. @returns itself, or what stands in for it */
export async function fallBack(
  outcome: Answer | Merged | Refusal,
  options: FallbackOptions,
): Promise<Outcome> {
  const { fallback, exchange, grant, degraded } = options;
  if (outcome.kind === 'answer') return keepInPassing(outcome, options);
  if (outcome.kind === 'merged' || !unanswered.has(outcome.code)) return outcome;
  if (exchange.response.gone || !takes(fallback, exchange.request)) return outcome;
  const { name } = grant.definition;
  for (const source of fallback.use) {
    const found = await answerOf(source, outcome, options);
    if (!found) continue;
    exchange.degraded = `${encodeURIComponent(name)}; source=${found.mark}`;
    degraded.count(name);
    return found.answer;
  }
  return outcome;
}

/** A WebSocket is no answer that anything else could stand in for. */
export function takes(
  fallback: Fallback,
  { method, isUpgrade }: Pick<GatewayRequest, 'method' | 'isUpgrade'>,
): boolean {
  const methods: readonly string[] = fallback.methods ?? policyDefaults.fallback.methods;
  return !isUpgrade && methods.includes(method);
}

interface Found {
  readonly answer: Answer | Merged | WholeAnswer;
  /** Behind `source=`. */
  readonly mark: string;
}

async function answerOf(
  source: Source,
  refusal: Refusal,
  options: FallbackOptions,
): Promise<Found | undefined> {
  switch (source.kind) {
    case 'cache':
      return keptAnswer(source, options);
    case 'service':
      return answerOfOther(source.service, refusal, options);
    case 'static':
      return { answer: staticAnswer(source), mark: 'static' };
    case 'partial':
      return refusal.rest && { answer: refusal.rest(), mark: 'partial' };
  }
}

function keepInPassing(answer: Answer, options: FallbackOptions): Answer {
  const { fallback, exchange, kept, dispatchOptions } = options;
  const { method, headers: requestHeaders } = exchange.request;
  const { status, headers, body } = answer;
  const source = fallback.use.find(({ kind }) => kind === 'cache');
  if (source?.kind !== 'cache' || !takes(fallback, exchange.request)) return answer;
  const confirms = method === 'GET' && status === 304;
  if (!confirms && !mayKeep({ method, requestHeaders, status, headers })) return answer;
  const key = answerKey(questionOf(source, options));
  if (key === undefined) return answer;
  if (confirms) {
    const etag = fieldText(headers, 'etag');
    if (etag !== '') kept.confirm(key, requestHeaders, etag, dispatchOptions.now());
    return answer;
  }
  const keep = (content: Buffer) =>
    kept.keep(key, {
      headers: standInHeaders(headers),
      content,
      keptAt: dispatchOptions.now(),
      ageAtFirstMs: ageOf(fieldText(headers, 'age')),
      varies: varyNames(headers).map((name) => [name, fieldText(requestHeaders, name)]),
    });
  return { ...answer, body: new KeepingBody(body, maxKeptBytes, keep) };
}

/** RFC 9111 §1.2.2: seconds; what is no number says nothing. */
function ageOf(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) * 1_000 : 0;
}

function questionOf(
  { public: isPublic = false }: Extract<Source, { kind: 'cache' }>,
  { grant, exchange }: Pick<FallbackOptions, 'grant' | 'exchange'>,
): AnswerQuestion {
  const { definition, principal } = grant;
  return { service: definition.name, request: exchange.request, principal, isPublic };
}

function keptAnswer(source: Extract<Source, { kind: 'cache' }>, options: FallbackOptions): Found | undefined {
  const { exchange, kept, dispatchOptions } = options;
  const { maxAgeMs = policyDefaults.fallback.maxAgeMs } = source;
  if (exchange.request.method !== 'GET' && exchange.request.method !== 'HEAD') return undefined;
  const key = answerKey(questionOf(source, options));
  const found = key && kept.find(key, exchange.request.headers, maxAgeMs, dispatchOptions.now());
  if (!found) return undefined;
  const { headers, content } = found.answer;
  const ageS = String(Math.floor(found.ageMs / 1_000));
  const answer = { kind: 'whole' as const, status: 200, headers: [...headers, 'Age', ageS], content };
  return { answer, mark: `cache; age=${ageS}` };
}

function staticAnswer(source: Extract<Source, { kind: 'static' }>): WholeAnswer {
  const { fallback } = policyDefaults;
  const { status = fallback.status, contentType = fallback.contentType, headers = {}, body } = source;
  const said = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'content-type');
  return {
    kind: 'whole',
    status,
    headers: ['Content-Type', contentType, ...standInHeaders(said.flat())],
    content: Buffer.from(body),
  };
}

/**
 * The caller must be let in there too, and what may act twice is not sent to two services. It falls back no
 * further, so that no two services wait for each other.
 */
async function answerOfOther(
  service: string,
  refusal: Refusal,
  { grant, accepted, exchange, dispatchOptions, tokens, routeOf }: FallbackOptions,
): Promise<Found | undefined> {
  const route = routeOf(service);
  if (!route || service === grant.definition.name) return undefined;
  if (!maySendElsewhere(refusal, accepted, exchange)) return undefined;
  const principal = await authenticate(exchange.request.headers, route.definition.access, tokens);
  if (isRefusal(principal)) return undefined;
  const other = authorize(principal, route.definition);
  if (isRefusal(other)) return undefined;
  const { totalMs } = grant.definition.policy?.timeouts ?? {};
  const answer = await dispatch(other, route, accepted, exchange, {
    ...dispatchOptions,
    ...(totalMs !== undefined && { endsAt: exchange.startedAt + totalMs }),
    later: () => undefined,
  });
  if (isRefusal(answer)) return undefined;
  if (answer.kind === 'answer' && answer.status >= 500) {
    answer.body.cancel();
    return undefined;
  }
  const mark = `service; to=${encodeURIComponent(service)}`;
  if (answer.kind === 'merged') return { answer, mark };
  return { answer: { ...answer, headers: otherHeaders(answer) }, mark };
}

/** Framing goes on: `respond` has the body's length from it. */
function otherHeaders({ headers }: Answer): string[] {
  const length = fieldText(headers, 'content-length');
  return [...standInHeaders(headers), ...(length === '' ? [] : ['Content-Length', length])];
}

/** A body may be read already; what was sent may have been done. */
function maySendElsewhere(
  { code }: Refusal,
  { payload }: Accepted,
  { request }: Pick<Exchange, 'request'>,
): boolean {
  if (code === 'no_instances') return true;
  if (payload !== undefined) return false;
  return code === 'upstream_unreachable' || isIdempotent(request.method);
}
