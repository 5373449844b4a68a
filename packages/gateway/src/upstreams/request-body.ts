// A request's body on its way to an upstream, over all attempts. One that is short and arrives with its
// head, as most do, is sent as one buffer: undici writes that together with the head, for two thirds of
// what a stream costs it. Any other is streamed, and nothing of a long one is read before undici asks.
import type { Readable } from 'node:stream';
import type { Body, BodySink, Payload } from '../exchange.ts';
import { requestStream } from './request-stream.ts';

/** Also what is kept of a body whose upstream is not connected yet. */
const maxShortBytes = 64 * 1024;

export class RequestBody implements Body, BodySink {
  readonly #payload: Payload;
  #started = false;
  #ended = false;
  #error: Error | undefined;
  #chunks: Uint8Array[] = [];
  #arrived: ((body: Buffer | Readable) => void) | undefined;
  #late: NodeJS.Immediate | undefined;
  #sink: BodySink | undefined;

  constructor(payload: Payload) {
    this.#payload = payload;
  }

  /** Tells what to send: the whole where all of it is there in this turn of the event loop, else a stream. */
  arrive(arrived: (body: Buffer | Readable) => void): void {
    if (this.#started || !this.#isShort()) {
      arrived(this.#inOneOrMany());
      return;
    }
    this.#started = true;
    this.#arrived = arrived;
    this.#late = setImmediate(() => this.#tell());
    this.#payload.body.start(this);
  }

  // What the client's side calls.

  chunk(data: Uint8Array): boolean {
    if (this.#sink) return this.#sink.chunk(data);
    this.#chunks.push(data); // no more than it said it is: short
    return true;
  }

  end(): void {
    this.#ended = true;
    this.#sink?.end();
    this.#tell();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#sink?.fail(error);
    this.#tell();
  }

  // What the stream calls.

  start(sink: BodySink): void {
    if (this.#started) {
      process.nextTick(() => this.#giveKept(sink)); // undici is not ready to hear it in the same call
      return;
    }
    this.#started = true;
    this.#payload.body.start(sink);
  }

  resume(): void {
    this.#payload.body.resume();
  }

  cancel(): void {
    this.#sink = undefined;
    this.#payload.body.cancel();
  }

  #giveKept(sink: BodySink): void {
    this.#sink = sink;
    for (const chunk of this.#chunks.splice(0)) sink.chunk(chunk);
    if (this.#error) sink.fail(this.#error);
    else if (this.#ended) sink.end();
  }

  #tell(): void {
    const arrived = this.#arrived;
    this.#arrived = undefined;
    clearImmediate(this.#late);
    arrived?.(this.#inOneOrMany());
  }

  #isShort(): boolean {
    const { contentLength } = this.#payload;
    return contentLength !== undefined && contentLength <= maxShortBytes;
  }

  #inOneOrMany(): Buffer | Readable {
    if (!this.#ended) return requestStream(this, this.#payload.maxBytes);
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
    return Buffer.concat(this.#chunks);
  }
}
