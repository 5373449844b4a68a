// What a request must be before anything else of it is read. A registry without credentials is on loopback,
// so its danger is the browser of the same machine: a page elsewhere may send requests here (cross-site
// request forgery) or make its own name resolve to 127.0.0.1 (DNS rebinding). NOT guarded against: other
// users and programs of this machine, which need no browser. With credentials any name may be ours: no page
// has the token. Writes from other pages stay refused, since nobody has a use for them.
import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import { regError } from '@reg/schema';
import { headerValues } from './header-values.ts';
import { decoded, pathOf } from './query.ts';

const safeMethods = new Set(['GET', 'HEAD']);
/** Printable ASCII but for `#` and the backslash. */
const plainTarget = /^\/[!"$-[\]-~]*$/;

/** @throws `malformed_request`, `host_refused`, `origin_refused` */
export function guard(request: IncomingMessage, target: string, hosts: 'loopback' | 'any'): void {
  refuseOddTarget(target);
  const host = hostOf(request);
  if (hosts === 'loopback' && !isLoopbackName(host)) {
    throw regError('host_refused', 'Host must be a loopback name: localhost, 127.0.0.1 or [::1]', {
      errors: [{ field: 'Host', message: 'must be a loopback name' }],
    });
  }
  if (safeMethods.has(request.method ?? '')) return;
  if (!isForeign(request, ownOrigins(host, hosts))) return;
  throw regError('origin_refused', 'a page of another origin may not write here', {
    errors: [{ field: 'Origin', message: `must be http://${host} or left out` }],
  });
}

/** Only origin-form (RFC 9112 §3.2.1), in printable ASCII: its Host is the header's, and no byte is guessed. */
function refuseOddTarget(target: string): void {
  if (!plainTarget.test(target)) {
    throw regError('malformed_request', 'the request target must be a plain path, percent-encoded');
  }
  decoded(pathOf(target));
}

/** RFC 9112 §3.2: none, or more than one, is answered with 400. */
function hostOf(request: IncomingMessage): string {
  const [host, another] = headerValues(request, 'host');
  if (host !== undefined && another === undefined) return host;
  throw regError('malformed_request', 'there must be exactly one Host header', {
    errors: [{ field: 'Host', message: 'must be given once' }],
  });
}

/** Names that never leave this machine: RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3. */
export function isLoopbackName(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  if (name === 'localhost' || name === '[::1]') return true;
  if (/^(?:[a-z0-9_-]+\.)+localhost$/.test(name)) return true;
  return isIPv4(name) && name.startsWith('127.');
}

/** Beyond loopback a proxy may speak TLS for us. */
function ownOrigins(host: string, hosts: 'loopback' | 'any'): string[] {
  const name = host.toLowerCase();
  return hosts === 'any' ? [`http://${name}`, `https://${name}`] : [`http://${name}`];
}

/** A browser says where a page is from: Origin (RFC 6454 §7, also `null`) and Sec-Fetch-Site. */
function isForeign({ headers }: IncomingMessage, own: readonly string[]): boolean {
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') return true;
  if (headers.origin === undefined) return false;
  return !own.includes(headers.origin.toLowerCase());
}
