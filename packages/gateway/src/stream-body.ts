// A node stream as a body; a socket that became half of a tunnel is one too.
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Body, BodySink } from './exchange.ts';

/** Half a tunnel is of no use: the other half has this long to end by itself. */
const lingerMs = 5_000;

export class StreamBody implements Body {
  readonly #stream: Readable;
  #sink: BodySink | undefined;
  #ended = false;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  start(sink: BodySink): void {
    const stream = this.#stream;
    if (this.#ended || stream.readableEnded) {
      sink.end();
      return;
    }
    if (stream.destroyed) {
      sink.fail(new Error('it broke off'));
      return;
    }
    this.#sink = sink;
    stream.on('data', (chunk: Buffer) => {
      if (this.#sink?.chunk(chunk) === false) stream.pause();
    });
    stream.on('end', () => this.end());
    stream.on('error', () => undefined); // 'close' follows and tells it
    stream.on('close', () => this.#take()?.fail(new Error('it broke off')));
    stream.resume();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** As if nothing more came; what still does is dropped. */
  end(): void {
    this.#ended = true;
    this.#take()?.end();
    this.#stream.resume();
  }

  /** What still comes is dropped, until its owner closes it. */
  cancel(): void {
    this.#sink = undefined;
    this.#stream.resume();
  }

  #take(): BodySink | undefined {
    const sink = this.#sink;
    this.#sink = undefined;
    return sink;
  }
}

/** Says the end when all was written; a peer that does not answer it with its own is cut off. */
export function endSocket(socket: Socket): void {
  socket.end(() => lingerAtMost(socket));
}

export function lingerAtMost(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}
