// One try at one upstream: undici's callbacks in, an Answer or a Failure out, then the answer's body.
//
//   connecting ──onConnect──▶ sent ──onHeaders──▶ answering ──onComplete──▶ done
//       └────────── onError: a Failure that says how far it came ───┘
//
// undici's first handler interface is used on purpose: it gives header fields as they came (a list),
// where the newer one has joined them into an object already.
import type { Readable } from 'node:stream';
import type { Body, BodySink } from '../exchange.ts';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';
import type { Connection } from './connection.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { FailedAttempt } from './may-retry.ts';
import type { RequestBody } from './request-body.ts';
import { type Answering, looksSoFar, unwatchSilence, watchSilence } from './silence.ts';

export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  /** As the upstream sent them. */
  readonly headers: RawHeaders;
  /** It gives its trailers as they came. */
  readonly body: Body;
}

export interface Failure extends FailedAttempt {
  readonly kind: 'failure';
  /** The connection had served others before: its end may say nothing of the instance. */
  readonly reused: boolean;
  readonly cause: Error;
}

export interface AttemptOptions {
  readonly pool: ConnectionPool;
  readonly fresh: boolean;
  readonly method: string;
  readonly path: string;
  readonly headers: string[];
  /** Which of a chunked body's trailers go along. */
  readonly keptTrailers: (trailers: RawHeaders) => RawHeaders;
  readonly body: RequestBody | undefined;
  /** Until the head of the answer is there. */
  readonly timeoutMs: number;
  /** Between two pieces of the answer; undefined: no limit. */
  readonly idleMs: number | undefined;
}

/** Of an answer that came before anybody took it: about one read of a socket. */
const maxEarlyBytes = 64 * 1024;

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

export class Attempt implements Body, Answering {
  readonly idleMs: number;
  heardAt = 0;
  isPaused = false;
  readonly result: Promise<Answer | Failure>;
  #settle: (result: Answer | Failure) => void = () => undefined;
  readonly #pool: ConnectionPool;
  readonly #connection: Connection;
  readonly #method: string;
  #state: 'connecting' | 'sent' | 'answering' | 'done' = 'connecting';
  #bytesBefore = 0;
  #reused = false;
  #abort: ((error: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #cancelled = false;
  #sink: BodySink | undefined;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #bodyless = false;
  readonly #body: RequestBody | undefined;
  readonly #keptTrailers: AttemptOptions['keptTrailers'];
  #trailers: RawHeaders = [];
  #failure: Error | undefined;

  constructor({ pool, fresh, method, path, headers, body, keptTrailers, timeoutMs, idleMs }: AttemptOptions) {
    this.result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#method = method;
    this.idleMs = idleMs ?? 0;
    this.#pool = pool;
    this.#connection = pool.take(fresh);
    this.#body = body;
    this.#keptTrailers = keptTrailers;
    const send = (sent: Buffer | Readable | null) => {
      if (this.#cancelled) pool.drop(this.#connection);
      else
        this.#connection.dispatch(
          { method, path, headers, body: sent, headersTimeout: timeoutMs, bodyTimeout: 0 },
          this,
        );
    };
    if (body) body.arrive(send);
    else send(null);
  }

  // What undici calls.

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort;
    if (this.#cancelled) {
      abort(new Error('nobody waits for it any more'));
      return;
    }
    this.#state = 'sent';
    this.#connection.sending();
    this.#reused = this.#connection.used;
    this.#bytesBefore = this.#connection.bytesRead();
  }

  /** The body is written, but for its end. */
  onRequestSent(): void {
    const trailers = this.#body?.trailers ?? [];
    if (trailers.length > 0) this.#connection.ending(this.#keptTrailers(trailers));
  }

  onHeaders(status: number, fields: Buffer[], resume: () => void): boolean {
    if (status < 200) return true; // 102, 103: of the upstream's connection (RFC 9110 §15.2)
    this.#bodyless = this.#method === 'HEAD' || status === 204 || status === 304;
    const headers = fields.map(fieldText);
    if (!this.#bodyless && isCoded(headers)) {
      this.#abort?.(new Error('its Transfer-Encoding was not asked for, and nobody here undoes it'));
      return false;
    }
    this.#state = 'answering';
    this.#resume = resume;
    if (this.idleMs > 0) watchSilence(this);
    this.#settle({ kind: 'answer', status, headers, body: this });
    return true;
  }

  onData(chunk: Buffer): boolean {
    const more = this.#take(chunk);
    this.heardAt = looksSoFar();
    this.isPaused = !more;
    return more;
  }

  onComplete(trailers: readonly (Buffer | string)[] | null): void {
    this.#state = 'done';
    unwatchSilence(this);
    this.#trailers = trailers?.map(fieldText) ?? [];
    this.#pool.give(this.#connection);
    if (!this.#bodyless) this.#sink?.end(this.#trailers);
  }

  onError(error: Error): void {
    const state = this.#state;
    this.#state = 'done';
    unwatchSilence(this);
    this.#pool.drop(this.#connection);
    if (state !== 'answering') {
      this.#settle(this.#failureOf(state === 'connecting' ? 'nothing' : this.#reached(), error));
      return;
    }
    if (this.#bodyless) return; // undici counts the Content-Length of a 304 as a body that is missing
    this.#failure = error;
    this.#sink?.fail(error);
  }

  // What the answer's reader calls.

  start(sink: BodySink): void {
    if (this.#bodyless) {
      sink.end();
      return;
    }
    this.#sink = sink;
    let more = true;
    for (const chunk of this.#early) more = sink.chunk(chunk);
    const wasFull = this.#earlyBytes >= maxEarlyBytes;
    this.#early = [];
    if (this.#failure) sink.fail(this.#failure);
    else if (this.#state === 'done') sink.end(this.#trailers);
    else if (wasFull && more) this.resume();
  }

  resume(): void {
    if (this.#state !== 'answering') return;
    this.isPaused = false;
    this.#resume?.();
  }

  /** What `silence.ts` calls. */
  standsStill(): void {
    this.#abort?.(new Error(`nothing of its answer came for ${this.idleMs} ms`));
  }

  /** The client left: the upstream need not go on. */
  cancel(): void {
    this.#end(new Error('the client left'));
  }

  /** Its time is over: a failure, where it has no answer yet. */
  expire(): void {
    this.#end(Object.assign(new Error('no answer in time'), { code: 'UND_ERR_HEADERS_TIMEOUT' }));
  }

  #take(chunk: Buffer): boolean {
    if (this.#sink) return this.#sink.chunk(chunk);
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    return this.#earlyBytes < maxEarlyBytes;
  }

  #end(cause: Error): void {
    this.#cancelled = true;
    this.#sink = undefined;
    if (this.#state === 'done') return;
    if (this.#state === 'connecting') this.#settle(this.#failureOf('nothing', cause));
    this.#abort?.(cause);
  }

  #failureOf(reached: FailedAttempt['reached'], cause: Error): Failure {
    const code = 'code' in cause ? String(cause.code) : '';
    return { kind: 'failure', reached, timedOut: timeoutCodes.has(code), reused: this.#reused, cause };
  }

  #reached(): FailedAttempt['reached'] {
    return this.#connection.bytesRead() > this.#bytesBefore ? 'answering' : 'sent';
  }
}

/** A name or a value. undici's types say text of trailers; what comes are bytes, with the white space behind. */
function fieldText(field: Buffer | string): string {
  const text = typeof field === 'string' ? field : field.toString('latin1');
  const last = text.charCodeAt(text.length - 1);
  return last === 0x20 || last === 0x09 ? text.trimEnd() : text;
}

/** Of more than chunks (RFC 9112 §6.1): the client would take the coded bytes for the content. */
function isCoded(headers: RawHeaders): boolean {
  const codings = headerValues(headers, 'transfer-encoding');
  return codings.length > 1 || (codings[0] ?? 'chunked').toLowerCase() !== 'chunked';
}
