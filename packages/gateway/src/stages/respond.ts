// The one place where something is written to the client. Never rejects.
import { regError, toProblem } from '@reg/schema/problem';
import type { Body, BodySink, Exchange, ResponseListener } from '../exchange.ts';
import type { WholeAnswer } from '../fallback/whole-answer.ts';
import { responseHeaders } from '../headers/forward.ts';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';
import { announcedTrailers, keptTrailers } from '../headers/trailers.ts';
import type { Answer } from '../upstreams/attempt.ts';
import type { Merged } from './merge-parts.ts';
import type { OwnAnswer } from './own-answer.ts';
import type { Refusal } from './refusal.ts';

/** Resolves when the answer is given to the transport whole, or broke off. */
export function respond(
  exchange: Exchange,
  outcome: Answer | Merged | OwnAnswer | WholeAnswer | Refusal,
): Promise<void> {
  if (outcome.kind === 'refusal') {
    sendProblem(exchange, outcome);
    return Promise.resolve();
  }
  if (outcome.kind === 'own') {
    const headers = ['Content-Type', 'application/json', 'Cache-Control', 'no-store'];
    sendWhole(exchange, 200, headers, outcome.text);
    return Promise.resolve();
  }
  if (outcome.kind === 'merged') {
    sendMerged(exchange, outcome);
    return Promise.resolve();
  }
  if (outcome.kind === 'whole') {
    sendWhole(exchange, outcome.status, [...outcome.headers, ...mark(exchange)], outcome.content);
    return Promise.resolve();
  }
  return sendAnswer(exchange, outcome);
}

function sendProblem(exchange: Exchange, { code, detail, headers = [] }: Refusal): void {
  const problem = toProblem(regError(code, detail), exchange.requestId);
  const all = ['Content-Type', 'application/problem+json', ...headers];
  sendWhole(exchange, problem.status, all, JSON.stringify(problem));
}

/** Made of several answers, so none of their fields (ETag, Set-Cookie, Cache-Control) holds for it. */
function sendMerged(exchange: Exchange, { text, partial }: Merged): void {
  const headers = [
    'Content-Type',
    'application/json',
    'Cache-Control',
    'no-store',
    ...(partial === undefined ? [] : ['X-Reg-Partial', partial]),
    ...mark(exchange),
    ...(exchange.upstream?.notice ?? []),
  ];
  sendWhole(exchange, 200, headers, text);
}

/** That a fallback answers, and which. */
function mark({ degraded }: Exchange): RawHeaders {
  return degraded === undefined ? [] : ['X-Reg-Degraded', degraded];
}

/** What the gateway has whole: of its own making, or kept. */
function sendWhole(exchange: Exchange, status: number, headers: RawHeaders, content: string | Buffer): void {
  const { request, response, requestId } = exchange;
  if (response.gone) {
    exchange.aborted = true;
    return;
  }
  exchange.status = status;
  response.listener = undefined;
  const isBodiless = status === 204 || status === 304;
  const bytes = Buffer.byteLength(content);
  const length = isBodiless ? [] : ['Content-Length', String(bytes)];
  response.head(status, [...headers, ...length, 'X-Request-Id', requestId]);
  if (isBodiless || request.method === 'HEAD') {
    response.end();
    return;
  }
  exchange.bytes = bytes;
  response.end(content);
}

function sendAnswer(exchange: Exchange, { status, headers, body }: Answer): Promise<void> {
  exchange.status = status;
  const kept =
    status === 204 || status === 101 ? withoutLength(responseHeaders(headers)) : responseHeaders(headers);
  pushNotice(kept, exchange.upstream?.notice ?? []);
  if (exchange.degraded !== undefined) kept.push('X-Reg-Degraded', exchange.degraded);
  const announced = announcedTrailers(headers);
  if (announced !== undefined) kept.push('Trailer', announced);
  kept.push('X-Request-Id', exchange.requestId);
  exchange.response.head(status, kept);
  return new Promise((resolve) => new Relay(exchange, headers, body, resolve).start());
}

/** What the upstream says of the one resource is nearer than what is said of the whole instance. */
function pushNotice(headers: string[], notice: readonly string[]): void {
  for (let at = 0; at + 1 < notice.length; at += 2) {
    const [name = '', value = ''] = notice.slice(at, at + 2);
    if (headerValues(headers, name.toLowerCase()).length === 0) headers.push(name, value);
  }
}

/** RFC 9110 §8.6: a 204 or 1xx must not have one, and some clients wait for that many bytes. */
function withoutLength(headers: string[]): string[] {
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== 'content-length');
}

/** The upstream's body to the client, as fast as the slower of both. */
class Relay implements BodySink, ResponseListener {
  readonly #exchange: Exchange;
  readonly #headers: RawHeaders;
  readonly #body: Body;
  readonly #done: () => void;

  /** @param headers as the upstream sent them */
  constructor(exchange: Exchange, headers: RawHeaders, body: Body, done: () => void) {
    this.#exchange = exchange;
    this.#headers = headers;
    this.#body = body;
    this.#done = done;
  }

  start(): void {
    const { response } = this.#exchange;
    response.listener = this;
    if (response.gone) {
      this.gone();
      return;
    }
    this.#body.start(this);
    response.flush(); // a stream of events may begin with silence
  }

  chunk(data: Uint8Array): boolean {
    this.#exchange.bytes += data.byteLength;
    return this.#exchange.response.write(data);
  }

  drained(): void {
    this.#body.resume();
  }

  end(trailers: RawHeaders = []): void {
    const { response } = this.#exchange;
    response.listener = undefined;
    if (trailers.length > 0) response.trailers(keptTrailers(trailers, this.#headers));
    response.end();
    this.#done();
  }

  fail(): void {
    this.#exchange.aborted = true;
    this.#exchange.response.listener = undefined;
    this.#exchange.response.abort(); // what came so far must not pass for the whole
    this.#done();
  }

  gone(): void {
    this.#exchange.aborted = true;
    this.#exchange.response.listener = undefined;
    this.#body.cancel();
    this.#done();
  }
}
