// An instance that says `merge`: its endpoints are asked in parallel, and one JSON object is made of what
// they say. One that fails is left out and named, or nothing is answered, as the registration says.
import type { Accepted, Exchange } from '../exchange.ts';
import { mergeJson } from '../parts/merge-json.ts';
import { Part, type PartResult } from '../parts/part.ts';
import type { Failure } from '../upstreams/attempt.ts';
import type { Target, Upstream } from '../upstreams/upstream.ts';
import type { Grant } from './authorize.ts';
import { forward } from './forward.ts';
import { partHeaders, partMethod } from './part-request.ts';
import { type Refusal, refuse } from './refusal.ts';

/** An answer of the gateway's own. */
export interface Merged {
  readonly kind: 'merged';
  readonly text: string;
  /** The value of `X-Reg-Partial`; undefined where no part is missing. */
  readonly partial: string | undefined;
}

export interface MergeOptions {
  readonly exchange: Exchange;
  readonly accepted: Accepted;
  readonly grant: Grant;
  readonly upstream: Upstream;
  /** Until every part is there whole. */
  readonly timeoutMs: number;
}

/** @returns a failure only where no endpoint was reached at all: another instance may be tried */
export async function mergeParts(options: MergeOptions): Promise<Merged | Refusal | Failure> {
  const { exchange, accepted, upstream, timeoutMs } = options;
  if (exchange.request.isUpgrade) {
    return refuse(
      'endpoint_type_unsupported',
      'its endpoints are merged into one answer, which no WebSocket is',
    );
  }
  if (accepted.payload) {
    return refuse('invalid_request', 'its endpoints are merged, and such a request takes no body');
  }
  const parts = upstream.targets.map((target) => partOf(target, options));
  const stopAll = (fault: string) => {
    for (const part of parts) part.stop(fault);
  };
  exchange.response.listener = { drained: () => undefined, gone: () => stopAll('gone') };
  if (exchange.response.gone) stopAll('gone');
  const late = setTimeout(() => stopAll('timeout'), timeoutMs);
  const results = await Promise.all(parts.map(({ result }) => result));
  clearTimeout(late);
  const partial = partialOf(upstream.targets, results);
  if (!exchange.response.gone) exchange.partial = partial; // else it says nothing of the parts
  return verdict(upstream, results, partial);
}

function partOf(target: Target, { exchange, accepted, grant, timeoutMs }: MergeOptions): Part {
  const method = partMethod(target.type, exchange.request.method);
  const headers = partHeaders(exchange.request.headers);
  return new Part({
    as: target.as,
    method,
    open: (fresh) => forward({ exchange, accepted, grant, target, method, headers, fresh, timeoutMs }),
  });
}

function verdict(
  { instance, targets }: Upstream,
  results: readonly PartResult[],
  partial: string | undefined,
): Merged | Refusal | Failure {
  const texts = results.flatMap(({ text }, index) => {
    return text === undefined ? [] : [{ as: targets[index]?.as, text }];
  });
  if (partial === undefined) return { kind: 'merged', text: mergeJson(texts), partial };
  const [failure] = results.flatMap((result) => result.failure ?? []);
  if (failure && results.every((result) => result.failure?.reached === 'nothing')) return failure;
  const rest = (): Merged => ({ kind: 'merged', text: mergeJson(texts), partial });
  if (texts.length > 0 && instance.partial === 'allow') return rest();
  const refusal = refuse('upstream_failed', `parts of the answer failed: ${partial}`, [
    'X-Reg-Partial',
    partial,
  ]);
  return texts.length > 0 ? { ...refusal, rest } : refusal;
}

/** `customer; reason=status-404, endpoints.2; reason=timeout`: by its name, else its place in the list. */
function partialOf(targets: readonly Target[], results: readonly PartResult[]): string | undefined {
  const missing = results.flatMap(({ fault }, index) => {
    const as = targets[index]?.as;
    const name = as === undefined ? `endpoints.${index}` : encodeURIComponent(as);
    return fault === undefined ? [] : [`${name}; reason=${fault}`];
  });
  return missing.length === 0 ? undefined : missing.join(', ');
}
