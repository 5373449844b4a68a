// A body that must be whole in time: the timer's shell around another one.
import type { Body, BodySink } from '../exchange.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';

export class LimitedBody implements Body, BodySink {
  readonly #body: Body;
  readonly #timer: NodeJS.Timeout;
  #sink: BodySink | undefined;
  #late: Error | undefined;

  /** @param leftMs from now on; nobody need have started it */
  constructor(body: Body, leftMs: number) {
    this.#body = body;
    this.#timer = setTimeout(() => this.#expire(), leftMs);
  }

  start(sink: BodySink): void {
    if (this.#late) {
      sink.fail(this.#late);
      return;
    }
    this.#sink = sink;
    this.#body.start(this);
  }

  resume(): void {
    this.#body.resume();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#sink = undefined;
    this.#body.cancel();
  }

  chunk(data: Uint8Array): boolean {
    return this.#sink?.chunk(data) ?? true;
  }

  end(trailers?: RawHeaders): void {
    clearTimeout(this.#timer);
    this.#sink?.end(trailers);
  }

  fail(error: Error): void {
    clearTimeout(this.#timer);
    this.#sink?.fail(error);
  }

  #expire(): void {
    const sink = this.#sink;
    this.#late = new Error('the time of the whole exchange is over');
    this.cancel();
    sink?.fail(this.#late);
  }
}
