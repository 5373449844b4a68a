// Node's ServerResponse as the stages see a response.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayResponse, ResponseListener } from '../exchange.ts';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';

/** What is read of a body that nobody wanted, so that the client gets to read its answer. */
const maxUnwantedBytes = 1024 * 1024;
const maxUnwantedMs = 2_000;

/** A body this short is read to its end by node itself, and the connection goes on. */
const maxKeptBytes = 64 * 1024;

/**
 * A body up to here that is there whole goes out as a latin1 string: node joins that to the head and
 * makes one write of both, where a buffer takes a `writev`. Above it the copy costs more than it saves.
 */
const maxJoinedBytes = 8 * 1024;

export class NodeResponse implements GatewayResponse {
  listener: ResponseListener | undefined;
  gone = false;
  /** The answer is out, and what still comes of the request's body is dropped. */
  discards = false;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #closing: () => boolean;
  readonly #waitsFor100: boolean;
  #bodiless = false;
  #wrote = false;
  #flushed = false;
  /** The beginning of a body, until it is known whether that is all: head and body are one write then. */
  #held: string | undefined;

  /** @param closing the server stops: connections end with their answer */
  constructor(
    message: IncomingMessage,
    response: ServerResponse,
    closing: () => boolean,
    waitsFor100: boolean,
  ) {
    this.#message = message;
    this.#response = response;
    this.#closing = closing;
    this.#waitsFor100 = waitsFor100;
    response.on('close', () => {
      if (!response.writableFinished) this.clientLeft();
    });
    response.on('drain', () => this.listener?.drained());
    response.on('error', () => undefined); // a write after the client left: 'close' tells it
  }

  clientLeft(): void {
    if (this.gone) return;
    this.gone = true;
    this.listener?.gone();
  }

  head(status: number, headers: RawHeaders): void {
    if (this.gone || this.#response.headersSent) return;
    const closes = this.#closing() || this.#leavesTooMuch();
    this.#bodiless = status === 204 || status === 304 || this.#message.method === 'HEAD';
    // Never chunked to HTTP/1.0 (RFC 9112 §6.1), where node would for `TE: chunked`.
    if (this.#message.httpVersion !== '1.1') this.#response.useChunkedEncodingByDefault = false;
    const fields = this.#isChunked(headers) ? headers : withoutTrailer(headers);
    this.#response.writeHead(status, closes ? [...fields, 'Connection', 'close'] : (fields as string[]));
  }

  /** As node decides it; it throws at a `Trailer` that no trailers can follow. */
  #isChunked(headers: RawHeaders): boolean {
    if (this.#bodiless || !this.#response.useChunkedEncodingByDefault) return false;
    return headerValues(headers, 'content-length').length === 0;
  }

  trailers(fields: RawHeaders): void {
    if (this.gone || !this.#response.chunkedEncoding) return;
    this.#response.addTrailers(pairsOf(fields));
  }

  flush(): void {
    if (this.#response.writableEnded) return;
    this.#flushed = true;
    if (this.#held !== undefined) this.#writeHeld();
    else if (!this.#wrote) this.#response.flushHeaders();
  }

  write(chunk: Uint8Array): boolean {
    if (this.gone || this.#bodiless) return true;
    if (!this.#flushed && !this.#wrote && chunk.byteLength <= maxJoinedBytes) {
      this.#wrote = true;
      this.#held = latin1Of(chunk);
      return true;
    }
    this.#wrote = true;
    if (this.#held !== undefined) this.#writeHeld();
    return this.#response.write(chunk);
  }

  #writeHeld(): void {
    this.#response.write(this.#held, 'latin1');
    this.#held = undefined;
  }

  end(given?: string | Uint8Array): void {
    if (this.gone) return;
    const last = given ?? this.#held;
    const encoding = given === undefined ? 'latin1' : 'utf8';
    this.#held = undefined;
    if (this.#message.complete) {
      this.#response.end(last, encoding);
      return;
    }
    this.discards = true;
    if (!this.#leavesTooMuch()) {
      this.#response.end(last, encoding);
      this.#message.resume(); // little is left of its body, if anything: the connection goes on
      return;
    }
    if (last === undefined) this.#response.flushHeaders();
    else this.#response.write(last, encoding);
    this.#readUnwanted(given !== undefined);
  }

  abort(): void {
    this.#response.destroy();
  }

  /** A body that was not read, and longer than is worth reading for the next request's sake. */
  #leavesTooMuch(): boolean {
    const message = this.#message;
    if (message.complete) return false;
    if (headerValues(message.rawHeaders, 'transfer-encoding').length > 0) return true;
    const [length] = headerValues(message.rawHeaders, 'content-length');
    if (length === undefined) return false;
    return this.#waitsFor100 || !(Number(length) <= maxKeptBytes);
  }

  /**
   * The answer is out. Closing now, with bytes of the body unread, would reset the connection, and the
   * answer would be lost with it (RFC 9112 §9.6): what comes is dropped for a while, then it closes.
   * @param isWhole the answer says its length, so that the client may hear at once that nothing follows
   */
  #readUnwanted(isWhole: boolean): void {
    const message = this.#message;
    const { socket } = message;
    const isOurTurn = this.#response.socket === socket; // else an earlier answer is still on its way
    let left = maxUnwantedBytes;
    const finish = () => {
      clearTimeout(timer);
      message
        .off('data', count)
        .off('end', finish)
        .off('error', finish)
        .on('error', () => undefined);
      if (isWhole && isOurTurn) {
        socket.destroySoon();
        return;
      }
      this.#response.end();
      this.#response.on('finish', () => socket.destroySoon());
    };
    const timer = setTimeout(finish, maxUnwantedMs);
    const count = (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) finish();
    };
    message.removeAllListeners('data');
    message.on('data', count).on('end', finish).on('error', finish).resume();
    if (isWhole && isOurTurn) socket.end();
  }
}

function withoutTrailer(headers: RawHeaders): RawHeaders {
  if (headerValues(headers, 'trailer').length === 0) return headers;
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== 'trailer');
}

function pairsOf(fields: RawHeaders): [string, string][] {
  return fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : []));
}

function latin1Of({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}
