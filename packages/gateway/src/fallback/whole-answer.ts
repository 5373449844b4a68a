// An answer that the gateway has whole: one that it kept, or one of a policy's own words.
import { responseHeaders } from '../headers/forward.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';

export interface WholeAnswer {
  readonly kind: 'whole';
  readonly status: number;
  /** Without its length. */
  readonly headers: RawHeaders;
  readonly content: Buffer;
}

/** How long an answer holds and how long it is: said anew of one that stands in for another. */
const saidAnew = new Set(['age', 'cache-control', 'expires', 'pragma', 'content-length']);

/**
 * Of an answer that stands in for another nobody may keep a copy: the service itself may be back with the next
 * request, and a copy would hide it.
 */
export function standInHeaders(headers: RawHeaders): string[] {
  const all = responseHeaders(headers);
  const kept = all.filter((_, at) => !saidAnew.has(all[at - (at % 2)]?.toLowerCase() ?? ''));
  return [...kept, 'Cache-Control', 'no-store'];
}
