// One try at one upstream: undici's callbacks in, an Answer or a Failure out, then the answer's body.
//
//   connecting ──onConnect──▶ sent ──onHeaders──▶ answering ──onComplete──▶ done
//       └────────── onError: a Failure that says how far it came ───┘
//
// undici's first handler interface is used on purpose: it gives header fields as they came (a list),
// where the newer one has joined them into an object already.
import type { Readable } from 'node:stream';
import type { Body, BodySink } from '../exchange.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';
import type { Connection } from './connection.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { FailedAttempt } from './may-retry.ts';
import type { RequestBody } from './request-body.ts';

export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  /** As the upstream sent them. */
  readonly headers: RawHeaders;
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
  readonly body: RequestBody | undefined;
  /** Until the head of the answer is there. */
  readonly timeoutMs: number;
}

/** Of an answer that came before anybody took it: about one read of a socket. */
const maxEarlyBytes = 64 * 1024;

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

export class Attempt implements Body {
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
  #failure: Error | undefined;

  constructor({ pool, fresh, method, path, headers, body, timeoutMs }: AttemptOptions) {
    this.result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#method = method;
    this.#pool = pool;
    this.#connection = pool.take(fresh);
    const send = (sent: Buffer | Readable | null) => {
      if (this.#cancelled) pool.drop(this.#connection);
      else this.#connection.dispatch({ method, path, headers, body: sent, headersTimeout: timeoutMs }, this);
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

  onHeaders(status: number, fields: Buffer[], resume: () => void): boolean {
    if (status < 200) return true; // 102, 103: of the upstream's connection (RFC 9110 §15.2)
    this.#state = 'answering';
    this.#resume = resume;
    this.#bodyless = this.#method === 'HEAD' || status === 204 || status === 304;
    const headers = fields.map((field) => field.toString('latin1'));
    this.#settle({ kind: 'answer', status, headers, body: this });
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#sink) return this.#sink.chunk(chunk);
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    return this.#earlyBytes < maxEarlyBytes;
  }

  onComplete(): void {
    this.#state = 'done';
    this.#pool.give(this.#connection);
    if (!this.#bodyless) this.#sink?.end();
  }

  onError(error: Error): void {
    const state = this.#state;
    this.#state = 'done';
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
    else if (this.#state === 'done') sink.end();
    else if (wasFull && more) this.resume();
  }

  resume(): void {
    if (this.#state === 'answering') this.#resume?.();
  }

  /** The client left: the upstream need not go on. */
  cancel(): void {
    this.#cancelled = true;
    this.#sink = undefined;
    if (this.#state === 'done') return;
    if (this.#state === 'connecting') this.#settle(this.#failureOf('nothing', new Error('the client left')));
    this.#abort?.(new Error('the client left'));
  }

  #failureOf(reached: FailedAttempt['reached'], cause: Error): Failure {
    const code = 'code' in cause ? String(cause.code) : '';
    return { kind: 'failure', reached, timedOut: timeoutCodes.has(code), reused: this.#reused, cause };
  }

  #reached(): FailedAttempt['reached'] {
    return this.#connection.bytesRead() > this.#bytesBefore ? 'answering' : 'sent';
  }
}
