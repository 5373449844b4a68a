// One try at a WebSocket at one upstream (RFC 6455 §4): the handshake in, an Answer or a Failure out. An
// Answer of 101 is a tunnel: its body is what the upstream says, and the client's body is written to the
// upstream meanwhile. Any other answer is one like all others, and the connection ends with it.
//
// On a connection of its own, since no other request can follow, and by node's client: its parser is strict
// and bounded, reads what is no 101 to its end, and gives the socket away with the bytes behind the head.
import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Body, BodySink } from '../exchange.ts';
import { headerValues } from '../headers/raw-headers.ts';
import { endSocket, lingerAtMost, StreamBody } from '../stream-body.ts';
import type { Answer, Failure } from './attempt.ts';
import type { ConnectionPool } from './connection-pool.ts';

export interface TunnelOptions {
  readonly pool: ConnectionPool;
  readonly path: string;
  readonly headers: string[];
  /** What the client sends once there is a tunnel. Nothing of it is read before. */
  readonly body: Body;
  /** Until the head of the answer is there. */
  readonly timeoutMs: number;
  /** Nothing passes either way; undefined: no limit. */
  readonly idleMs: number | undefined;
}

const maxHeadBytes = 16 * 1024;

export class Tunnel implements Body {
  readonly result: Promise<Answer | Failure>;
  #settle: (result: Answer | Failure) => void = () => undefined;
  readonly #request: ClientRequest;
  readonly #client: Body;
  readonly #timer: NodeJS.Timeout;
  #socket: Socket | undefined;
  #answer: StreamBody | undefined;
  readonly #idleMs: number | undefined;
  #isOpen = false;

  constructor({ pool, path, headers, body, timeoutMs, idleMs }: TunnelOptions) {
    this.#idleMs = idleMs;
    this.result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#client = body;
    this.#timer = setTimeout(() => this.#fail(new Error('no answer in time'), true), timeoutMs);
    this.#request = openRequest({
      method: 'GET',
      path,
      headers,
      maxHeaderSize: maxHeadBytes,
      createConnection: (_options, opened) => {
        pool.connect((error, socket) => {
          if (error) {
            this.#fail(error, 'code' in error && error.code === 'UND_ERR_CONNECT_TIMEOUT');
            return;
          }
          this.#socket = socket;
          socket.on('error', () => undefined); // 'close' follows and tells it, also behind a 101
          opened(null, socket);
        });
        return undefined;
      },
    });
    this.#request.on('upgrade', (answer, _socket, early) => this.#switched(answer, early));
    this.#request.on('response', (answer) => this.#answered(answer, new StreamBody(answer)));
    this.#request.on('error', (error) => this.#fail(error, false));
    this.#request.end();
  }

  #switched(answer: IncomingMessage, early: Buffer): void {
    const socket = this.#socket;
    const [protocol] = headerValues(answer.rawHeaders, 'upgrade');
    const accepts = headerValues(answer.rawHeaders, 'sec-websocket-accept');
    if (!socket || protocol?.toLowerCase() !== 'websocket' || accepts.length !== 1) {
      this.#socket?.destroy();
      this.#fail(new Error('its 101 is no answer to a WebSocket handshake'), false);
      return;
    }
    this.#isOpen = true;
    if (this.#idleMs !== undefined) socket.setTimeout(this.#idleMs, () => socket.destroy()); // both ways count
    if (early.length > 0) socket.unshift(early);
    this.#answered(answer, new StreamBody(socket));
  }

  #answered(answer: IncomingMessage, body: StreamBody): void {
    clearTimeout(this.#timer);
    this.#answer = body;
    if (!this.#isOpen) answer.on('end', () => this.#socket?.destroy());
    this.#settle({
      kind: 'answer',
      status: answer.statusCode ?? 0,
      headers: answer.rawHeaders,
      body: this,
    });
  }

  #fail(cause: Error, timedOut: boolean): void {
    clearTimeout(this.#timer);
    this.#settle({ kind: 'failure', reached: this.#reached(), timedOut, reused: false, cause });
    this.#request.destroy();
  }

  #reached(): Failure['reached'] {
    if (!this.#socket) return 'nothing';
    return this.#socket.bytesRead > 0 ? 'answering' : 'sent';
  }

  // What the answer's reader calls.

  start(sink: BodySink): void {
    this.#answer?.start(sink);
    if (this.#isOpen && this.#socket) this.#takeFromClient(this.#socket);
  }

  resume(): void {
    this.#answer?.resume();
  }

  /** Its time is over. */
  expire(): void {
    this.#fail(new Error('no answer in time'), true);
    this.#socket?.destroy();
  }

  cancel(): void {
    this.#answer?.cancel();
    this.#fail(new Error('the client left'), false);
    this.#socket?.destroy();
  }

  #takeFromClient(socket: Socket): void {
    socket.on('drain', () => this.#client.resume());
    socket.on('end', () => lingerAtMost(socket));
    socket.on('close', () => this.#client.cancel());
    this.#client.start({
      chunk: (data) => !socket.writable || socket.write(data), // behind its end nobody hears it
      end: () => endSocket(socket),
      fail: () => socket.destroy(),
    });
  }
}
