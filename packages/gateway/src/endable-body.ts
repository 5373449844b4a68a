// A body that we may end before it ends by itself: an endless stream when the gateway closes, or one whose time
// is over.
import type { Body, BodySink } from './exchange.ts';
import type { RawHeaders } from './headers/raw-headers.ts';

export class EndableBody implements Body, BodySink {
  readonly #body: Body;
  readonly #ended: () => void;
  #sink: BodySink | undefined;
  #isOver = false;
  #error: Error | undefined;

  /** @param ended told once, whatever ended it */
  constructor(body: Body, ended: () => void) {
    this.#body = body;
    this.#ended = ended;
  }

  /** To its reader it came to its end, or broke off with `error`; to its writer the reader left. */
  endNow(error?: Error): void {
    if (this.#isOver) return;
    this.#body.cancel();
    if (error) this.fail(error);
    else this.end();
  }

  // What its reader calls.

  start(sink: BodySink): void {
    if (this.#isOver) {
      if (this.#error) sink.fail(this.#error);
      else sink.end();
      return;
    }
    this.#sink = sink;
    this.#body.start(this);
  }

  resume(): void {
    this.#body.resume();
  }

  cancel(): void {
    this.#over();
    this.#body.cancel();
  }

  // What the body calls.

  chunk(data: Uint8Array): boolean {
    return this.#sink?.chunk(data) ?? true;
  }

  end(trailers?: RawHeaders): void {
    this.#over()?.end(trailers);
  }

  fail(error: Error): void {
    this.#error = error;
    this.#over()?.fail(error);
  }

  #over(): BodySink | undefined {
    const sink = this.#sink;
    this.#sink = undefined;
    if (!this.#isOver) this.#ended();
    this.#isOver = true;
    return sink;
  }
}
