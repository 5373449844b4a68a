// What goes along to the upstream and back. Hop-by-hop fields go first, then what could forge identity
// or address; ours are added last, so that nothing a client nominates or spells oddly can touch them.
import type { Principal } from '../tokens/principal.ts';
import { type FieldKind, kindOf } from './field-kind.ts';
import { headerValues, type RawHeaders } from './raw-headers.ts';

export interface ForwardedRequest {
  /** As the client sent them. */
  readonly headers: RawHeaders;
  /** Undefined on a public route: then no `X-Reg-Subject` and no `X-Reg-Roles` are sent. */
  readonly principal: Principal | undefined;
  /** The peer's, as its socket has it: `192.0.2.1`, `::ffff:192.0.2.1`, `fe80::1%eth0`; empty: unknown. */
  readonly remoteAddress: string;
  /** Whether the client came by TLS. */
  readonly encrypted: boolean;
  /** `host` or `host:port` of the endpoint's url. */
  readonly endpointHost: string;
  /** Bytes of the body where they are known; left out, `Transfer-Encoding` is the caller's to add. */
  readonly contentLength?: number | undefined;
  readonly requestId: string;
}

/**
 * The head of the upstream's request: name, value, name, value …, without `Transfer-Encoding`. The token
 * and `traceparent` go along; `Connection: authorization` keeps the token from the upstream and no more.
 */
export function requestHeaders(request: ForwardedRequest): string[] {
  const { headers, principal, remoteAddress, encrypted, endpointHost, contentLength, requestId } = request;
  const result = ['Host', endpointHost]; // first, as RFC 9110 §7.2 asks; the client's was left out
  pushKept(result, headers, goesToUpstream);
  if (contentLength !== undefined) result.push('Content-Length', String(contentLength));

  const address = plainAddress(remoteAddress);
  const protocol = encrypted ? 'https' : 'http';
  const [host] = headerValues(headers, 'host');
  if (address !== '') result.push('X-Forwarded-For', address);
  result.push('X-Forwarded-Proto', protocol);
  if (host) result.push('X-Forwarded-Host', host);
  result.push('Forwarded', forwardedElement(address, host, protocol));
  if (principal) {
    result.push('X-Reg-Subject', encodeURIComponent(principal.subject));
    result.push('X-Reg-Roles', principal.roles.map(encodeURIComponent).join(','));
  }
  result.push('X-Request-Id', requestId);
  return result;
}

/**
 * The head of the client's answer: hop-by-hop fields, `X-Reg-*` and `X-Request-Id` gone, since those two are
 * the gateway's to add; all else in order, as it came.
 */
export function responseHeaders(headers: RawHeaders): string[] {
  const result: string[] = [];
  pushKept(result, headers, goesToClient);
  return result;
}

/** The one place for an exception: a trusted proxy's fields (`kind` is `proxy`) would go along. */
function goesToUpstream(kind: FieldKind): boolean {
  return kind === 'plain';
}

/** An upstream may say anything of itself, but nothing in our name. */
function goesToClient(kind: FieldKind): boolean {
  return kind !== 'hop' && kind !== 'ours';
}

function pushKept(result: string[], headers: RawHeaders, goesAlong: (kind: FieldKind) => boolean): void {
  const nominated = nominatedFields(headers);
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (!goesAlong(kindOf(name))) continue;
    if (nominated?.has(name.toLowerCase())) continue;
    result.push(name, headers[at + 1] ?? '');
  }
}

/** Lower-case names that `Connection` declares hop-by-hop, beside the known ones (RFC 9110 §7.6.1). */
export function nominatedFields(headers: RawHeaders): Set<string> | undefined {
  let nominated: Set<string> | undefined;
  for (const value of headerValues(headers, 'connection')) {
    for (const option of value.toLowerCase().split(',')) {
      const name = option.trim();
      if (name === '' || name === 'close' || name === 'keep-alive') continue;
      nominated ??= new Set();
      nominated.add(name);
    }
  }
  return nominated;
}

/** An IPv4 address that came in by a socket for both versions is IPv4; a zone means nothing elsewhere. */
function plainAddress(remoteAddress: string): string {
  if (remoteAddress.startsWith('::ffff:') && remoteAddress.includes('.')) return remoteAddress.slice(7);
  const zone = remoteAddress.indexOf('%');
  return zone === -1 ? remoteAddress : remoteAddress.slice(0, zone);
}

/** RFC 7239 §4: `for="[2001:db8::1]";host="example.com:3000";proto=http`. */
function forwardedElement(address: string, host: string | undefined, protocol: string): string {
  const peer = address === '' ? 'unknown' : address.includes(':') ? `"[${address}]"` : address;
  const asked = host ? `;host="${host.replace(/["\\]/g, '\\$&')}"` : '';
  return `for=${peer}${asked};proto=${protocol}`;
}
