// After the end: what happened, for the log. Never a token, never a query (it may hold secrets).
import type { Exchange } from '../exchange.ts';
import { headerValues } from '../headers/raw-headers.ts';

export interface AccessRecord {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  readonly method: string;
  /** As it was sent, without its query, at most 512 characters. */
  readonly path: string;
  /** The public path that matched. */
  readonly route: string | undefined;
  readonly service: string | undefined;
  /** The instance id of the last attempt. */
  readonly instance: string | undefined;
  /** 0: the client left before there was one. */
  readonly status: number;
  readonly ms: number;
  /** Of the answer's body. */
  readonly bytes: number;
  readonly subject: string | undefined;
  readonly attempts: number;
  /** Why the last attempt that failed did: the address is in it, which a client is never told. */
  readonly failure?: string | undefined;
  /** The client's address: the peer's, or what a trusted proxy says; empty where unknown. */
  readonly client: string;
  /** Parts of a merged answer that failed, and why. */
  readonly partial?: string | undefined;
  /** A fallback answered, and which. */
  readonly degraded?: string | undefined;
  /** It broke off: the client left, or the upstream died in the middle. */
  readonly aborted: boolean;
  readonly requestId: string;
  /** Of `traceparent` (W3C Trace Context §3.2.2.3). */
  readonly traceId: string | undefined;
}

export function accessRecord(exchange: Exchange, now: number): AccessRecord {
  const { request, route, upstream, startedAt, status, bytes } = exchange;
  const { subject, attempts, failure, client, partial, degraded, aborted, requestId } = exchange;
  const query = request.target.indexOf('?');
  return {
    at: Math.round(startedAt),
    method: request.method,
    path: request.target.slice(0, Math.min(512, query === -1 ? request.target.length : query)),
    route: route?.definition.url,
    service: route?.definition.name,
    instance: upstream?.instance.instanceId,
    status,
    ms: Math.round((now - startedAt) * 100) / 100,
    bytes,
    subject,
    attempts,
    failure,
    client: client.address,
    partial,
    degraded,
    aborted,
    requestId,
    traceId: traceIdOf(headerValues(request.headers, 'traceparent')),
  };
}

/** On one machine every line would say so. */
function isHere(address: string): boolean {
  return address === '' || address === '::1' || address.startsWith('127.');
}

function traceIdOf(values: readonly string[]): string | undefined {
  const [, id] = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(values[0] ?? '') ?? [];
  return id;
}

/** One line of JSON; control characters come out escaped. */
export function formatJson(record: AccessRecord): string {
  return JSON.stringify(record);
}

/** `12:00:01.250 200 GET /tickets/1 → 127.0.0.1-3001 3.2ms ann from 192.0.2.7`, for people. */
export function formatPretty(record: AccessRecord): string {
  const {
    at,
    status,
    method,
    path,
    instance,
    ms,
    subject,
    attempts,
    failure,
    client,
    partial,
    degraded,
    aborted,
  } = record;
  const parts = [
    new Date(at).toISOString().slice(11, 23),
    String(status),
    method,
    path,
    ...(instance === undefined ? [] : [`→ ${instance}`]),
    `${ms}ms`,
    ...(subject ? [subject] : []),
    ...(isHere(client) ? [] : [`from ${client}`]),
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
    ...(failure ? [`failed: ${failure}`] : []),
    ...(partial ? [`without ${partial}`] : []),
    ...(degraded ? [`degraded: ${degraded}`] : []),
    ...(aborted ? ['broke off'] : []),
  ];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a client must not write to the terminal
  return parts.join(' ').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}
