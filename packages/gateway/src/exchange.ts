// One request's trip, and the views through which the stages see it. A transport (node's server, or a
// parser of our own) makes the views; the stages never see what is behind them.
import { randomUUID } from 'node:crypto';
import type { Network } from '@reg/schema/networks';
import { type ClientAddress, clientAddress } from './headers/client-address.ts';
import type { RawHeaders } from './headers/raw-headers.ts';
import type { LoadMeter } from './load/load-meter.ts';
import type { Route } from './routes/route.ts';
import type { RouteTable } from './routes/route-table.ts';
import type { Upstream } from './upstreams/upstream.ts';

/** Takes what a body gives. */
export interface BodySink {
  /** @returns false: give no more until `resume` */
  chunk(data: Uint8Array): boolean;
  /** @param trailers fields behind a chunked body; left out: none */
  end(trailers?: RawHeaders): void;
  /** The body broke off; nothing follows. */
  fail(error: Error): void;
}

/**
 * A body, pushed: the shape that sockets and parsers have, so a chunk costs one call both ways, and
 * back-pressure is the `false` of the sink. An AsyncIterable would cost a promise and a turn per chunk.
 */
export interface Body {
  /** Once; nothing is read before. */
  start(sink: BodySink): void;
  /** The sink that said `false` takes more again. */
  resume(): void;
  /** Nobody wants the rest. The sink hears nothing more. */
  cancel(): void;
}

export interface GatewayRequest {
  readonly method: string;
  /** The request target as it was sent, not decoded: `/tickets/1?sort=asc` (RFC 9112 §3.2). */
  readonly target: string;
  readonly httpVersion: string;
  readonly headers: RawHeaders;
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  /** A WebSocket handshake: its body is what the client sends once there is a tunnel (RFC 6455 §4). */
  readonly isUpgrade: boolean;
  /** Whether it holds anything is told by the headers: `accept` looks. */
  readonly body: Body;
}

/** What happens to a response while it is written. */
export interface ResponseListener {
  /** More may be written after a `false`. */
  drained(): void;
  /** The client left before the end. */
  gone(): void;
}

export interface GatewayResponse {
  listener: ResponseListener | undefined;
  readonly gone: boolean;
  /** Goes out with the first bytes of the body, or with `flush`. `Date` and framing are the transport's. */
  head(status: number, headers: RawHeaders): void;
  /** Sends the head now: a stream of events may have no body yet. */
  flush(): void;
  /** @returns false: wait for `drained` */
  write(chunk: Uint8Array): boolean;
  end(last?: string | Uint8Array): void;
  /** Go out with the end, where the answer is chunked; else nobody could tell them from a body. */
  trailers(fields: RawHeaders): void;
  /** Breaks the connection, so that the client never takes what it has for a complete answer. */
  abort(): void;
}

/** What `accept` found in the head. */
export interface Accepted {
  /** The target without its query. */
  readonly path: string;
  /** Undefined where the request has no body: then it may be sent again. */
  readonly payload: Payload | undefined;
}

export interface Payload {
  readonly body: Body;
  /** Bytes; undefined: chunked. */
  readonly contentLength: number | undefined;
  /** The client sends it when it is asked to (`Expect: 100-continue`, RFC 9110 §10.1.1). */
  readonly isHeld: boolean;
  /** Bytes after which it is refused. */
  readonly maxBytes: number;
}

/** All that is known of one request; the stages fill it in, `observe` reads it. */
export interface Exchange {
  readonly request: GatewayRequest;
  readonly response: GatewayResponse;
  /** Kept to the end of the exchange, whatever the registry says meanwhile. */
  readonly table: RouteTable | undefined;
  readonly requestId: string;
  readonly client: ClientAddress;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  route: Route | undefined;
  /** Of its service, once it is counted there. */
  meter: LoadMeter | undefined;
  upstream: Upstream | undefined;
  subject: string | undefined;
  attempts: number;
  /** Why the last attempt that failed did. */
  failure: string | undefined;
  /** Which parts of a merged answer failed, as `X-Reg-Partial` has it. */
  partial: string | undefined;
  /** A fallback answers, as `X-Reg-Degraded` has it. */
  degraded: string | undefined;
  /** 0 until the head was written. */
  status: number;
  /** Of the answer's body, as given to the transport. */
  bytes: number;
  /** The answer broke off, or the client left. */
  aborted: boolean;
}

export function begin(
  request: GatewayRequest,
  response: GatewayResponse,
  table: RouteTable | undefined,
  trustedProxies: readonly Network[],
  now: number,
): Exchange {
  return {
    request,
    response,
    table,
    requestId: randomUUID(),
    client: clientAddress(request.remoteAddress, request.headers, trustedProxies),
    startedAt: now,
    route: undefined,
    meter: undefined,
    upstream: undefined,
    subject: undefined,
    attempts: 0,
    failure: undefined,
    partial: undefined,
    degraded: undefined,
    status: 0,
    bytes: 0,
    aborted: false,
  };
}
