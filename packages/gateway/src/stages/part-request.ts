// What an endpoint is asked for its part of a merged answer: its type's method, and for plain, whole JSON.
import type { RawHeaders } from '../headers/raw-headers.ts';
import type { Target } from '../upstreams/upstream.ts';

/** Ours to say (Accept), or they would get less than the whole (RFC 9110 §13.1 and §14.2). */
const replaced = new Set([
  'accept',
  'accept-encoding',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'te',
]);

/** `http` takes the client's method; a HEAD needs the bodies to know what it would be answered. */
export function partMethod(type: Target['type'], method: string): string {
  if (type === 'http-get') return 'GET';
  if (type === 'http-post') return 'POST';
  return method === 'HEAD' ? 'GET' : method;
}

export function partHeaders(headers: RawHeaders): RawHeaders {
  const kept = headers.filter((_, at) => !replaced.has(headers[at - (at % 2)]?.toLowerCase() ?? ''));
  return [...kept, 'Accept', 'application/json', 'Accept-Encoding', 'identity'];
}
