// 400 405 413 431: refuses what two parsers could read differently, before anything looks at it. Node's
// parser refuses most of it too; it is checked again here, so that no transport is trusted with it.
import type { Accepted, GatewayRequest, Payload } from '../exchange.ts';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';
import { type Refusal, refuse } from './refusal.ts';
import { targetFault } from './target-fault.ts';

/** Bytes of the request target: more than any browser sends. */
const maxTargetBytes = 8_192;

/** RFC 9110 §9.3.6 and §9.3.8: a tunnel is not ours to open, and TRACE echoes credentials. */
const refusedMethods = new Set(['CONNECT', 'TRACE']);
const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** `host`, `host:port`, `[::1]:port`: no white space, userinfo, path or list (RFC 9110 §7.2). */
const hostValue = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+;=%]*)(:[0-9]{0,5})?$/;

/**
 * @param maxBodyBytes `Infinity`: bodies of any length are streamed
 * @param hasNames its segments are names to the registry, which reads each by itself: slashes may be in them
 */
export function accept(request: GatewayRequest, maxBodyBytes: number, hasNames = false): Accepted | Refusal {
  const { method, target, httpVersion, headers } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return malformed('only HTTP/1.1 and HTTP/1.0 are spoken');
  if (refusedMethods.has(method)) {
    return refuse('method_not_allowed', `${method} is not forwarded`, ['Allow', allowedMethods]);
  }
  if (target.length > maxTargetBytes) {
    return refuse('head_too_large', `a request target has at most ${maxTargetBytes} bytes`);
  }
  const fault = targetFault(target, hasNames) ?? hostFault(headers, httpVersion);
  if (fault) return malformed(fault);
  const payload = payloadOf(request, maxBodyBytes);
  if (payload !== undefined && 'kind' in payload) return payload;
  const query = target.indexOf('?');
  return { path: query === -1 ? target : target.slice(0, query), payload };
}

/** RFC 9112 §3.2: exactly one; two parsers may pick different ones of two. */
function hostFault(headers: RawHeaders, httpVersion: string): string | undefined {
  const hosts = headerValues(headers, 'host');
  if (hosts.length > 1) return 'more than one Host';
  const [host] = hosts;
  if (host === undefined) return httpVersion === '1.1' ? 'no Host' : undefined;
  return hostValue.test(host) ? undefined : 'Host is no host and port';
}

/** RFC 9112 §6.1 and §6.3: where the body ends must have one reading. */
function payloadOf(request: GatewayRequest, maxBytes: number): Payload | undefined | Refusal {
  const { headers, body, httpVersion } = request;
  const codings = headerValues(headers, 'transfer-encoding');
  const lengths = headerValues(headers, 'content-length');
  if (codings.length > 0) {
    if (lengths.length > 0) return malformed('Content-Length and Transfer-Encoding');
    if (httpVersion === '1.0') return malformed('Transfer-Encoding in HTTP/1.0');
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
      return malformed('the only Transfer-Encoding taken is chunked');
    }
    return { body, contentLength: undefined, isHeld: false, maxBytes };
  }
  const [length] = lengths;
  if (length === undefined) return undefined;
  if (lengths.some((other) => other !== length)) return malformed('Content-Lengths that differ');
  if (!/^[0-9]{1,15}$/.test(length)) return malformed('Content-Length is no number of bytes');
  const contentLength = Number(length);
  if (contentLength === 0) return undefined;
  if (contentLength > maxBytes) return refuse('body_too_large', `a body has at most ${maxBytes} bytes`);
  const isHeld = headerValues(headers, 'expect').some((value) => /^100-continue$/i.test(value));
  return { body, contentLength, isHeld, maxBytes };
}

function malformed(detail: string): Refusal {
  return refuse('malformed_request', detail);
}
