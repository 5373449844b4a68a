// What goes along to the upstream and back. Hop-by-hop fields go first, then what could forge identity
// or address; ours are added last, so that nothing a client nominates or spells oddly can touch them.
import type { Principal } from '../tokens/principal.ts';
import { addressOfHop, forwardedFor, plainAddress } from './client-address.ts';
import { type FieldKind, kindOf } from './field-kind.ts';
import { headerValues, type RawHeaders } from './raw-headers.ts';

export interface ForwardedRequest {
  /** As the client sent them. */
  readonly headers: RawHeaders;
  /** Undefined on a public route: then no `X-Reg-Subject` and no `X-Reg-Roles` are sent. */
  readonly principal: Principal | undefined;
  /** The peer's, as its socket has it: `192.0.2.1`, `::ffff:192.0.2.1`, `fe80::1%eth0`; empty: unknown. */
  readonly remoteAddress: string;
  /** Whether the peer came by TLS. */
  readonly encrypted: boolean;
  /** What the peer says of address, scheme and host goes along, and ours is added to it. @default false */
  readonly byTrustedProxy?: boolean | undefined;
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
  const { headers, principal, byTrustedProxy = false, endpointHost, contentLength, requestId } = request;
  const result = ['Host', endpointHost]; // first, as RFC 9110 §7.2 asks; the client's was left out
  pushKept(result, headers, byTrustedProxy ? goesOnFromProxy : goesToUpstream);
  if (contentLength !== undefined) result.push('Content-Length', String(contentLength));
  pushForwarded(result, request);
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

function goesToUpstream(kind: FieldKind): boolean {
  return kind === 'plain';
}

/** A trusted proxy may say whom it speaks for, but nothing in our name, and nothing of who was authenticated. */
function goesOnFromProxy(kind: FieldKind, name: string): boolean {
  return kind === 'plain' || (kind === 'proxy' && !addedTo.has(name.toLowerCase()));
}

/** They tell the whole way, so ours is added to what came, in one field. */
const addedTo = new Set(['x-forwarded-for', 'forwarded']);

/** An upstream may say anything of itself, but nothing in our name. */
function goesToClient(kind: FieldKind): boolean {
  return kind !== 'hop' && kind !== 'ours';
}

type GoesAlong = (kind: FieldKind, name: string) => boolean;

function pushKept(result: string[], headers: RawHeaders, goesAlong: GoesAlong): void {
  const nominated = nominatedFields(headers);
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const kind = kindOf(name);
    if (!goesAlong(kind, name)) continue;
    // A client behind a trusted proxy might nominate that one's fields, and so hide itself.
    if (kind !== 'proxy' && nominated?.has(name.toLowerCase())) continue;
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

/** Where the request came from. Of a peer that is no trusted proxy, nothing that it says of it. */
function pushForwarded(result: string[], request: ForwardedRequest): void {
  const { remoteAddress, encrypted, byTrustedProxy = false } = request;
  const headers = byTrustedProxy ? request.headers : [];
  const peer = plainAddress(remoteAddress);
  const hops = [...forwardedFor(headers), ...(peer === '' ? [] : [peer])];
  if (hops.length > 0) result.push('X-Forwarded-For', hops.join(', '));

  const [host] = headerValues(request.headers, 'host');
  const protocol = encrypted ? 'https' : 'http';
  const hasProtocol = headerValues(headers, 'x-forwarded-proto').length > 0;
  const hasHost = headerValues(headers, 'x-forwarded-host').length > 0;
  if (!hasProtocol) result.push('X-Forwarded-Proto', protocol);
  if (host && !hasHost) result.push('X-Forwarded-Host', host);
  const told = headerValues(headers, 'forwarded');
  const before =
    told.length > 0 ? told : hops.slice(0, -1).map((hop) => `for=${nodeName(addressOfHop(hop))}`);
  result.push('Forwarded', [...before, forwardedElement(peer, host, protocol)].join(', '));
}

/** RFC 7239 §4: `for="[2001:db8::1]";host="example.com:3000";proto=http`. */
function forwardedElement(address: string, host: string | undefined, protocol: string): string {
  const asked = host ? `;host="${host.replace(/["\\]/g, '\\$&')}"` : '';
  return `for=${nodeName(address)}${asked};proto=${protocol}`;
}

function nodeName(address = ''): string {
  if (address === '') return 'unknown';
  return address.includes(':') ? `"[${address}]"` : address;
}
