// One attempt's head: where it goes and what it says there.
import type { Accepted, Exchange } from '../exchange.ts';
import { requestHeaders } from '../headers/forward.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';
import { Attempt } from '../upstreams/attempt.ts';
import type { Target } from '../upstreams/upstream.ts';
import type { Grant } from './authorize.ts';

export interface ForwardOptions {
  readonly exchange: Exchange;
  readonly accepted: Accepted;
  readonly grant: Grant;
  readonly target: Target;
  /** @default the client's */
  readonly method?: string;
  /** Of which those that may go along do. @default the client's */
  readonly headers?: RawHeaders;
  readonly fresh: boolean;
  readonly timeoutMs: number;
}

export function forward({
  exchange,
  accepted,
  grant,
  target,
  method = exchange.request.method,
  headers = exchange.request.headers,
  fresh,
  timeoutMs,
}: ForwardOptions): Attempt {
  const { request, requestId } = exchange;
  const { remoteAddress, encrypted } = request;
  return new Attempt({
    pool: target.pool,
    fresh,
    method,
    path: upstreamPath(target, grant.definition.url, request.target),
    headers: requestHeaders({
      headers,
      principal: grant.principal,
      remoteAddress,
      encrypted,
      endpointHost: target.host,
      contentLength: accepted.payload?.contentLength,
      requestId,
    }),
    payload: accepted.payload,
    timeoutMs,
  });
}

/** The endpoint's url replaces the public path; what remains, and the query, go along as they were sent. */
function upstreamPath(
  { basePath, wholePath }: Pick<Target, 'basePath' | 'wholePath'>,
  publicPath: string,
  target: string,
): string {
  const remainder = publicPath === '/' ? target : target.slice(publicPath.length);
  return remainder.startsWith('/') ? basePath + remainder : wholePath + remainder;
}
