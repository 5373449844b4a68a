// One attempt's head: where it goes and what it says there.
import type { Accepted, Exchange } from '../exchange.ts';
import { requestHeaders } from '../headers/forward.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';
import { announcedTrailers, keptTrailers, wantsTrailers } from '../headers/trailers.ts';
import { Attempt } from '../upstreams/attempt.ts';
import type { RequestBody } from '../upstreams/request-body.ts';
import { Tunnel } from '../upstreams/tunnel.ts';
import type { Target } from '../upstreams/upstream.ts';
import type { Grant } from './authorize.ts';

export interface ForwardOptions {
  readonly exchange: Exchange;
  readonly accepted: Accepted;
  readonly body?: RequestBody | undefined;
  readonly grant: Grant;
  readonly target: Target;
  /** @default the client's */
  readonly method?: string;
  /** Of which those that may go along do. @default the client's */
  readonly headers?: RawHeaders;
  /** Ours, behind all others: name, value, name, value. @default none */
  readonly added?: readonly string[];
  readonly fresh: boolean;
  readonly timeoutMs: number;
  /** Of the answer, once its head is there; undefined: no limit. */
  readonly idleMs?: number | undefined;
}

export function forward(options: ForwardOptions): Attempt {
  const { exchange, body, target, method = exchange.request.method, fresh, timeoutMs, idleMs } = options;
  const sent = options.headers ?? exchange.request.headers;
  const { path, headers } = headOf(options);
  headers.push(...(options.added ?? []));
  const announced = body?.isChunked ? announcedTrailers(sent) : undefined;
  if (announced !== undefined) headers.push('Trailer', announced);
  if (wantsTrailers(sent)) headers.push('TE', 'trailers');
  return new Attempt({
    pool: target.pool,
    fresh,
    method,
    path,
    headers,
    keptTrailers: (trailers) => keptTrailers(trailers, sent),
    body,
    timeoutMs,
    idleMs,
  });
}

/** A WebSocket's handshake; what follows it goes both ways. */
export function openTunnel(options: ForwardOptions): Tunnel {
  const { exchange, target, timeoutMs, idleMs } = options;
  const { path, headers } = headOf(options);
  headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
  return new Tunnel({ pool: target.pool, path, headers, body: exchange.request.body, timeoutMs, idleMs });
}

function headOf({ exchange, accepted, grant, target, headers = exchange.request.headers }: ForwardOptions) {
  const { request, requestId, client } = exchange;
  const { remoteAddress, encrypted } = request;
  const { url } = exchange.route?.definition ?? grant.definition; // a fallback's grant is for another service
  return {
    path: upstreamPath(target, url, request.target),
    headers: requestHeaders({
      headers,
      principal: grant.principal,
      remoteAddress,
      encrypted,
      byTrustedProxy: client.byTrustedProxy,
      endpointHost: target.host,
      contentLength: accepted.payload?.contentLength,
      requestId,
    }),
  };
}

/** The endpoint's url replaces the public path; what remains, and the query, go along as they were sent. */
export function upstreamPath(
  { basePath, wholePath }: Pick<Target, 'basePath' | 'wholePath'>,
  publicPath: string,
  target: string,
): string {
  const remainder = publicPath === '/' ? target : target.slice(publicPath.length);
  return remainder.startsWith('/') ? basePath + remainder : wholePath + remainder;
}
