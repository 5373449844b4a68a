// A request's body as undici takes it. Nothing is read from the client before undici asks for it, that
// is, before the upstream is connected: a connection that failed has used nothing up.
//
// Node's first kind of stream, on purpose: undici listens to `data` and calls `pause` and `resume`, which is
// what a BodySink has to give. A Readable would queue each chunk once more, for a fifth of a request's time.
import { type Readable, Stream } from 'node:stream';
import { isRegError, regError } from '@reg/schema/problem';
import type { Body, BodySink } from '../exchange.ts';

/** undici's types ask for a Readable; what its HTTP/1.1 writer uses of one is `on`, `pause`, `resume`, `destroy`. */
export function requestStream(body: Body, maxBytes: number): Readable {
  return new RequestStream(body, maxBytes) as Stream as Readable;
}

class RequestStream extends Stream implements BodySink {
  /** undici asks it of a stream. */
  destroyed = false;
  readonly #body: Body;
  readonly #maxBytes: number;
  #bytes = 0;
  #started = false;
  #paused = false;
  #ended = false;

  constructor(body: Body, maxBytes: number) {
    super();
    this.#body = body;
    this.#maxBytes = maxBytes;
  }

  // What undici calls.

  resume(): void {
    if (!this.#started) {
      this.#started = true;
      this.#body.start(this);
    } else if (this.#paused) {
      this.#paused = false;
      this.#body.resume();
    }
  }

  pause(): void {
    this.#paused = true;
  }

  destroy(error?: Error): void {
    if (this.destroyed) return;
    this.destroyed = true;
    if (this.#started && !this.#ended) this.#body.cancel();
    this.#ended = true;
    if (error) process.nextTick(() => this.emit('error', error)); // undici may be adding its listeners now
  }

  // What the client's side calls.

  chunk(data: Uint8Array): boolean {
    this.#bytes += data.byteLength;
    if (this.#bytes <= this.#maxBytes) {
      this.emit('data', data);
      return !this.#paused;
    }
    this.destroy(regError('body_too_large', `a body has at most ${this.#maxBytes} bytes`));
    return false;
  }

  end(): void {
    this.#ended = true;
    this.emit('end');
  }

  fail(error: Error): void {
    this.#ended = true;
    const known = isRegError(error)
      ? error
      : regError('malformed_request', 'the body broke off', { cause: error });
    this.destroy(known);
  }
}
