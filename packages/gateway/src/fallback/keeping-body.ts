// A body on its way to the client, of which a copy stays: each piece is passed on first, and nothing waits.
import type { Body, BodySink } from '../exchange.ts';
import type { RawHeaders } from '../headers/raw-headers.ts';

export class KeepingBody implements Body, BodySink {
  readonly #body: Body;
  readonly #maxBytes: number;
  readonly #whole: (content: Buffer) => void;
  #sink: BodySink | undefined;
  /** Copies: a piece is a view of a larger buffer, which would stay with it. Undefined: given up. */
  #pieces: Buffer[] | undefined = [];
  #bytes = 0;

  /** @param whole called when all of it has passed, and it was no longer than `maxBytes` */
  constructor(body: Body, maxBytes: number, whole: (content: Buffer) => void) {
    this.#body = body;
    this.#maxBytes = maxBytes;
    this.#whole = whole;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#body.start(this);
  }

  resume(): void {
    this.#body.resume();
  }

  cancel(): void {
    this.#pieces = undefined;
    this.#body.cancel();
  }

  chunk(data: Uint8Array): boolean {
    const more = this.#sink?.chunk(data) ?? true;
    this.#bytes += data.byteLength;
    if (this.#bytes > this.#maxBytes) this.#pieces = undefined;
    this.#pieces?.push(Buffer.from(data));
    return more;
  }

  end(trailers?: RawHeaders): void {
    this.#sink?.end(trailers);
    if (this.#pieces) this.#whole(Buffer.concat(this.#pieces));
  }

  fail(error: Error): void {
    this.#pieces = undefined;
    this.#sink?.fail(error);
  }
}
