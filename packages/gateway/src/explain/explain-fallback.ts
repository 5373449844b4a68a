// What a policy's fallback would answer, source by source; nothing is sent and nothing is moved on.
import { type Explanation, policyDefaults } from '@reg/schema';
import type { GatewayRequest } from '../exchange.ts';
import { answerKey } from '../fallback/answer-key.ts';
import type { KeptAnswers } from '../fallback/kept-answers.ts';
import { methodClass, type Route } from '../routes/route.ts';
import { authenticate } from '../stages/authenticate.ts';
import { authorize, type Grant } from '../stages/authorize.ts';
import { type Fallback, takes } from '../stages/fall-back.ts';
import { isRefusal } from '../stages/refusal.ts';
import type { TokenVerifier } from '../tokens/verifier.ts';

type Source = Fallback['use'][number];
export type ExplainedSource = NonNullable<Explanation['fallback']>[number];

export interface ExplainFallbackOptions {
  readonly request: GatewayRequest;
  readonly grant: Grant;
  readonly tokens: TokenVerifier;
  readonly kept: KeptAnswers;
  readonly routeOf: (service: string) => Route | undefined;
  readonly now: number;
}

/** @returns undefined where the policy has none for such a request */
export async function explainFallback(
  options: ExplainFallbackOptions,
): Promise<ExplainedSource[] | undefined> {
  const fallback = options.grant.definition.policy?.fallback;
  if (!fallback || !takes(fallback, options.request)) return undefined;
  return Promise.all(fallback.use.map((source) => explainSource(source, options)));
}

async function explainSource(source: Source, options: ExplainFallbackOptions): Promise<ExplainedSource> {
  const { kind } = source;
  switch (kind) {
    case 'cache':
      return { kind, ...explainKept(source, options) };
    case 'service':
      return { kind, ...(await explainOther(source.service, options)) };
    case 'static': {
      const { status = policyDefaults.fallback.status } = source;
      return { kind, answers: true, status, text: `${source.body.length} characters, always the same` };
    }
    case 'partial':
      return { kind, answers: false, text: 'where some parts of a merged answer fail: the others' };
  }
}

/** Which of its variants would fit depends on fields that nobody told: the newest stands for them. */
function explainKept(
  {
    public: isPublic = false,
    maxAgeMs = policyDefaults.fallback.maxAgeMs,
  }: Extract<Source, { kind: 'cache' }>,
  { request, grant, kept, now }: ExplainFallbackOptions,
): Omit<ExplainedSource, 'kind'> {
  const { definition, principal } = grant;
  const key = answerKey({ service: definition.name, request, principal, isPublic });
  const found = key && kept.find(key, undefined, maxAgeMs, now);
  if (!found) return { answers: false, text: 'nothing is kept for this target and caller' };
  return {
    answers: true,
    status: 200,
    text: `an answer of ${Math.floor(found.ageMs / 1_000)} s ago is kept`,
  };
}

async function explainOther(
  service: string,
  { request, tokens, routeOf }: ExplainFallbackOptions,
): Promise<Omit<ExplainedSource, 'kind'>> {
  const route = routeOf(service);
  if (!route) return { answers: false, text: `there is no service ${service}` };
  const principal = await authenticate(request.headers, route.definition.access, tokens);
  const grant = isRefusal(principal) ? principal : authorize(principal, route.definition);
  if (isRefusal(grant)) return { answers: false, text: `${service} refuses the caller: ${grant.detail}` };
  const answers = route.choices[methodClass(request.method)].length > 0;
  return { answers, text: answers ? `it goes to ${service}` : `no instance of ${service} takes it` };
}
