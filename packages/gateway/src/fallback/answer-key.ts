// Whose a kept answer is. It belongs to the service, the target and the caller: subject and roles, and whatever
// else tells callers apart that the gateway did not check itself (docs/decisions/0018-whose-answer-a-kept-one-is.md).
import { hash } from 'node:crypto';
import type { GatewayRequest } from '../exchange.ts';
import { headerValues } from '../headers/raw-headers.ts';
import type { Principal } from '../tokens/principal.ts';

export interface AnswerQuestion {
  readonly service: string;
  readonly request: Pick<GatewayRequest, 'target' | 'headers'>;
  /** Undefined where the service is public. */
  readonly principal: Principal | undefined;
  /** What it says is not for one caller alone, by its policy. */
  readonly isPublic: boolean;
}

/** @returns undefined: nobody knows whose it would be. Hashed, so that no credential stays in memory for it */
export function answerKey({ service, request, principal, isPublic }: AnswerQuestion): string | undefined {
  const { target, headers } = request;
  if (isPublic) return hash('sha256', JSON.stringify([service, target]), 'base64url');
  if (principal?.subject === '') return undefined; // every token without a subject would be the same caller
  const roles = principal && [...new Set(principal.roles)].sort();
  const unchecked = principal ? [] : headerValues(headers, 'authorization');
  const cookies = headerValues(headers, 'cookie');
  const whose = [principal?.subject ?? null, roles ?? null, unchecked, cookies];
  return hash('sha256', JSON.stringify([service, target, whose]), 'base64url');
}
