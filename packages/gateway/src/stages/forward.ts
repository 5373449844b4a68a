// One attempt's head: where it goes and what it says there.
import type { Accepted, Exchange } from '../exchange.ts';
import { requestHeaders } from '../headers/forward.ts';
import type { Choice } from '../routes/route.ts';
import { Attempt } from '../upstreams/attempt.ts';
import { Tunnel } from '../upstreams/tunnel.ts';
import type { Target } from '../upstreams/upstream.ts';
import type { Grant } from './authorize.ts';

export interface ForwardOptions {
  readonly exchange: Exchange;
  readonly accepted: Accepted;
  readonly grant: Grant;
  readonly choice: Choice;
  readonly fresh: boolean;
  readonly timeoutMs: number;
}

export function forward({
  exchange,
  accepted,
  grant,
  choice,
  fresh,
  timeoutMs,
}: ForwardOptions): Attempt | Tunnel {
  const { request, requestId } = exchange;
  const { target } = choice;
  const { pool } = target;
  const { method, remoteAddress, encrypted, isUpgrade, body } = request;
  const path = upstreamPath(target, grant.definition.url, request.target);
  const headers = requestHeaders({
    headers: request.headers,
    principal: grant.principal,
    remoteAddress,
    encrypted,
    endpointHost: target.host,
    contentLength: accepted.payload?.contentLength,
    requestId,
  });
  if (isUpgrade) {
    headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
    return new Tunnel({ pool, path, headers, body, timeoutMs });
  }
  return new Attempt({ pool, fresh, method, path, headers, payload: accepted.payload, timeoutMs });
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
