// Node's IncomingMessage as the stages see a request.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { regError } from '@reg/schema/problem';
import type { Body, BodySink, GatewayRequest } from '../exchange.ts';
import type { NodeResponse } from './node-response.ts';

/** @param continueOn the client waits there for `100 Continue` before it sends its body */
export function viewRequest(
  message: IncomingMessage,
  response: NodeResponse,
  continueOn: ServerResponse | undefined,
): GatewayRequest {
  const { socket } = message;
  return {
    method: message.method ?? '',
    target: message.url ?? '',
    httpVersion: message.httpVersion,
    headers: message.rawHeaders,
    remoteAddress: socket.remoteAddress ?? '',
    encrypted: 'encrypted' in socket,
    isUpgrade: false,
    body: new NodeBody(message, response, continueOn),
  };
}

class NodeBody implements Body {
  readonly #message: IncomingMessage;
  readonly #response: NodeResponse;
  readonly #continueOn: ServerResponse | undefined;
  #sink: BodySink | undefined;

  constructor(message: IncomingMessage, response: NodeResponse, continueOn: ServerResponse | undefined) {
    this.#message = message;
    this.#response = response;
    this.#continueOn = continueOn;
  }

  /** Nobody starts a body before the caller is authorized, so the `100` says that much (RFC 9110 §10.1.1). */
  start(sink: BodySink): void {
    const message = this.#message;
    this.#sink = sink;
    if (message.destroyed && !message.readableEnded) {
      sink.fail(message.errored ?? new Error('the client left'));
      return;
    }
    if (message.readableEnded) {
      sink.fail(regError('internal', 'the body was read before the gateway: mount it before body parsers'));
      return;
    }
    this.#continueOn?.writeContinue();
    message.on('data', (chunk: Buffer) => {
      if (this.#sink?.chunk(chunk) === false) message.pause();
    });
    message.on('end', () => this.#sink?.end(message.rawTrailers));
    message.on('error', (error) => this.#sink?.fail(error)); // 'aborted' comes as an error too
  }

  resume(): void {
    this.#message.resume();
  }

  /** The rest is read and dropped by the response's end, which knows how much of that is worth it. */
  cancel(): void {
    this.#sink = undefined;
    if (!this.#response.discards) this.#message.pause();
  }
}
