// What a stage answers instead of its result: no further stage runs, `respond` turns it into a problem.
import type { ProblemCode } from '@reg/schema/problem';
import type { RawHeaders } from '../headers/raw-headers.ts';
import type { Merged } from './merge-parts.ts';

export interface Refusal {
  readonly kind: 'refusal';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly headers?: RawHeaders;
  /** What there is of a merged answer: for a fallback that takes it. */
  readonly rest?: () => Merged;
}

export function refuse(code: ProblemCode, detail: string, headers?: RawHeaders): Refusal {
  return { kind: 'refusal', code, detail, ...(headers && { headers }) };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'refusal';
}
