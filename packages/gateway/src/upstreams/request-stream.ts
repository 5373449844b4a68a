// A request's body as undici takes it. Nothing is read from the client before undici asks for it, that
// is, before the upstream is connected: a connection that failed has used nothing up.
import { Readable } from 'node:stream';
import { isRegError, regError } from '@reg/schema/problem';
import type { BodySink, Payload } from '../exchange.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';

export class RequestStream extends Readable implements BodySink {
  /** As the client sent them; there once all of the body was read. */
  trailers: RawHeaders = [];
  readonly #payload: Payload;
  #bytes = 0;
  #started = false;
  #ended = false;

  constructor(payload: Payload) {
    super({ highWaterMark: 64 * 1024 });
    this.#payload = payload;
    // undici reads before it listens: a body that is broken by then would end the process.
    this.on('error', () => undefined);
  }

  override _read(): void {
    if (this.#started) {
      this.#payload.body.resume();
      return;
    }
    this.#started = true;
    this.#payload.body.start(this);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#started && !this.#ended) this.#payload.body.cancel();
    this.#ended = true;
    callback(error);
  }

  chunk(data: Uint8Array): boolean {
    this.#bytes += data.byteLength;
    if (this.#bytes <= this.#payload.maxBytes) return this.push(data);
    this.destroy(regError('body_too_large', `a body has at most ${this.#payload.maxBytes} bytes`));
    return false;
  }

  end(trailers: RawHeaders = []): void {
    this.trailers = trailers;
    this.#ended = true;
    this.push(null);
  }

  fail(error: Error): void {
    this.#ended = true;
    const known = isRegError(error)
      ? error
      : regError('malformed_request', 'the body broke off', { cause: error });
    this.destroy(known);
  }
}
