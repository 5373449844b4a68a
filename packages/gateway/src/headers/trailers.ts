// Fields behind a chunked body (RFC 9110 §6.5). They are read when all else was decided, and some readers
// merge them into the head, so what steers a message or says who somebody is never goes along there.
import { kindOf } from './field-kind.ts';
import { nominatedFields } from './forward.ts';
import { headerValues, type RawHeaders } from './raw-headers.ts';

/**
 * RFC 9110 §6.5.1: framing, routing, authentication, request modifiers, response control, and how the content
 * is read. `kindOf` has the first two already, and what could forge identity or address.
 */
const belongInHead = new Set([
  ...['authorization', 'www-authenticate', 'authentication-info', 'cookie', 'set-cookie', 'set-cookie2'],
  ...['cache-control', 'max-forwards', 'pragma', 'range', 'origin', 'traceparent', 'tracestate'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'],
  ...['age', 'date', 'expires', 'location', 'retry-after', 'vary', 'warning', 'clear-site-data', 'refresh'],
  ...['content-encoding', 'content-type', 'content-range', 'content-disposition', 'content-location'],
  ...['strict-transport-security', 'content-security-policy'],
]);

/** @param headers of the same message: what its `Connection` names is of that connection, here too (§7.6.1) */
export function keptTrailers(trailers: RawHeaders, headers: RawHeaders): RawHeaders {
  if (trailers.length === 0) return trailers;
  const nominated = nominatedFields(headers);
  const keeps = (name: string) => mayTrail(name) && !nominated?.has(name.toLowerCase());
  return trailers.filter((_, at) => keeps(trailers[at - (at % 2)] ?? ''));
}

/** The value of `Trailer`, without what would be dropped; undefined where nothing is left to announce. */
export function announcedTrailers(headers: RawHeaders): string | undefined {
  const names = headerValues(headers, 'trailer').flatMap((value) => value.split(','));
  const kept = names.map((name) => name.trim()).filter((name) => name !== '' && mayTrail(name));
  return kept.length === 0 ? undefined : kept.join(', ');
}

/** `TE: trailers` (RFC 9110 §10.1.4): the client will not drop them. Other codings are of its connection. */
export function wantsTrailers(headers: RawHeaders): boolean {
  return headerValues(headers, 'te').some((value) =>
    value.split(',').some((coding) => coding.trim().toLowerCase() === 'trailers'),
  );
}

/** Look-alikes count as what they look like: a reader may take `Set_Cookie` for the other. */
function mayTrail(name: string): boolean {
  return kindOf(name) === 'plain' && !belongInHead.has(name.toLowerCase().replace(/[^a-z0-9]/g, '-'));
}
