// A body that we may end before it ends by itself: an endless stream, when the gateway closes.
import type { Body, BodySink } from './exchange.ts';

export class EndableBody implements Body, BodySink {
  readonly #body: Body;
  readonly #ended: () => void;
  #sink: BodySink | undefined;
  #isOver = false;

  /** @param ended told once, whatever ended it */
  constructor(body: Body, ended: () => void) {
    this.#body = body;
    this.#ended = ended;
  }

  /** To its reader it came to its end; to its writer the reader left. */
  endNow(): void {
    if (this.#isOver) return;
    this.#body.cancel();
    this.end();
  }

  // What its reader calls.

  start(sink: BodySink): void {
    if (this.#isOver) {
      sink.end();
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

  end(): void {
    this.#over()?.end();
  }

  fail(error: Error): void {
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
