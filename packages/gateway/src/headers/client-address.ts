// Who the client is where proxies stand in front: what a trusted one says is believed, and no more.
import { isWithin, type Network, parseIpAddress } from '@reg/schema/networks';
import { headerValues, type RawHeaders } from './raw-headers.ts';

export interface ClientAddress {
  /** `192.0.2.1`, `2001:db8::1`; empty: unknown. */
  readonly address: string;
  /** The peer is a trusted proxy: its `X-Forwarded-*`, `Forwarded` and `X-Real-IP` go along. */
  readonly byTrustedProxy: boolean;
}

/** More proxies than stand before anybody; a client may write as many addresses as fit in a head. */
const maxHops = 32;

/**
 * Each proxy adds its peer to the right of `X-Forwarded-For`, so the rightmost address that is none of ours
 * is the one that somebody we trust has seen. All further left may be made up.
 * @param remoteAddress the peer's, as its socket has it
 */
export function clientAddress(
  remoteAddress: string,
  headers: RawHeaders,
  trustedProxies: readonly Network[],
): ClientAddress {
  const peer = plainAddress(remoteAddress);
  if (trustedProxies.length === 0 || !isTrusted(peer, trustedProxies)) {
    return { address: peer, byTrustedProxy: false };
  }
  let address = peer;
  for (const hop of forwardedFor(headers).reverse().slice(0, maxHops)) {
    const next = addressOfHop(hop);
    if (next === undefined) break; // unreadable: the proxy that said it is the last one known
    address = next;
    if (!isTrusted(address, trustedProxies)) break;
  }
  return { address, byTrustedProxy: true };
}

/** All that `X-Forwarded-For` says, the client's end first. */
export function forwardedFor(headers: RawHeaders): string[] {
  return headerValues(headers, 'x-forwarded-for')
    .flatMap((value) => value.split(','))
    .map((hop) => hop.trim())
    .filter((hop) => hop !== '');
}

/** Some proxies add the port: `192.0.2.1:1234`, `[2001:db8::1]:1234`. */
export function addressOfHop(hop: string): string | undefined {
  const [, bracketed, v4] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(hop) ?? [];
  const text = bracketed ?? v4 ?? hop;
  return parseIpAddress(text) ? plainAddress(text) : undefined;
}

/** An IPv4 address that came in by a socket for both versions is IPv4; a zone means nothing elsewhere. */
export function plainAddress(remoteAddress: string): string {
  if (remoteAddress.startsWith('::ffff:') && remoteAddress.includes('.')) return remoteAddress.slice(7);
  const zone = remoteAddress.indexOf('%');
  return zone === -1 ? remoteAddress : remoteAddress.slice(0, zone);
}

function isTrusted(text: string, trustedProxies: readonly Network[]): boolean {
  const address = parseIpAddress(text);
  return address !== undefined && isWithin(address, trustedProxies);
}
