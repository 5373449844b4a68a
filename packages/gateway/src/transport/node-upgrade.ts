// WebSocket handshakes as the stages see them: a request whose body is what the client sends once there is
// a tunnel, and a response that becomes the other half of it with the status 101.
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { GatewayRequest } from '../exchange.ts';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';
import { endSocket, StreamBody } from '../stream-body.ts';
import { viewRequest } from './node-request.ts';
import { NodeResponse } from './node-response.ts';

export interface Upgrade {
  readonly request: GatewayRequest;
  readonly response: NodeResponse;
  /** The gateway closes: a tunnel ends behind what is on its way, also one that is not open yet. */
  end(): void;
}

/**
 * Node asks a message's `upgrade` once its head is there, and gives the whole connection away if it is
 * true, for any protocol and with no way back. Only a WebSocket gets that; any other Upgrade may be
 * ignored (RFC 9110 §7.8), and its request is an ordinary one.
 */
export function upgradableMessage(isBusy: (socket: Socket) => boolean): typeof IncomingMessage {
  return class extends IncomingMessage {
    #answer: boolean | undefined; // to the first asking, for good
    #asked = false;

    get upgrade(): boolean {
      if (!this.#asked) return false;
      this.#answer ??= this.method === 'CONNECT' || (isWebSocket(this) && !isBusy(this.socket));
      return this.#answer;
    }

    /** Node's constructor sets null, before there are fields of ours; its parser tells what the head says. */
    set upgrade(asked: boolean | null) {
      if (asked) this.#asked = true;
    }
  };
}

/** RFC 6455 §4.1. Without a body: behind it the other protocol would begin, which two may read differently. */
export function isWebSocket({ method, httpVersion, rawHeaders }: IncomingMessage): boolean {
  const valuesOf = (name: string) => headerValues(rawHeaders, name);
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    valuesOf('upgrade').join().toLowerCase() === 'websocket' &&
    valuesOf('sec-websocket-key').length === 1 &&
    valuesOf('sec-websocket-version').length === 1 &&
    valuesOf('transfer-encoding').length === 0 &&
    valuesOf('content-length').every((length) => length === '0')
  );
}

/** @param early bytes that came in one packet with the head */
export function viewUpgrade(message: IncomingMessage, socket: Socket, early: Buffer): Upgrade {
  socket.setTimeout(0);
  socket.setNoDelay(true);
  if (early.length > 0) socket.unshift(early);
  const answer = new ServerResponse(message);
  answer.assignSocket(socket);
  const response = new UpgradeResponse(message, answer, socket);
  const body = new StreamBody(socket);
  socket.on('error', () => undefined); // 'close' follows and tells it
  socket.once('end', () => {
    if (!answer.headersSent && !response.isTunnel) socket.destroy(); // it left before it was answered
  });
  const request = { ...viewRequest(message, response, undefined), isUpgrade: true, body };
  return { request, response, end: () => body.end() };
}

class UpgradeResponse extends NodeResponse {
  isTunnel = false;
  readonly #socket: Socket;

  constructor(message: IncomingMessage, answer: ServerResponse, socket: Socket) {
    super(message, answer, () => true, false);
    this.#socket = socket;
    socket.on('drain', () => this.listener?.drained());
    answer.on('finish', () => this.#endSocket());
  }

  override head(status: number, headers: RawHeaders): void {
    if (status !== 101) {
      super.head(status, headers);
      return;
    }
    this.isTunnel = true;
    const fields = [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
    let head = 'HTTP/1.1 101 Switching Protocols\r\n';
    for (let at = 0; at < fields.length; at += 2) head += `${fields[at]}: ${fields[at + 1]}\r\n`;
    this.#socket.write(`${head}\r\n`, 'latin1');
  }

  override flush(): void {
    if (!this.isTunnel) super.flush();
  }

  override write(chunk: Uint8Array): boolean {
    return this.isTunnel ? !this.#socket.writable || this.#socket.write(chunk) : super.write(chunk);
  }

  override end(text?: string): void {
    if (this.isTunnel) this.#endSocket();
    else super.end(text);
  }

  /** Reading on: closing with unread bytes would reset the connection, and what was said be lost. */
  #endSocket(): void {
    endSocket(this.#socket);
    this.#socket.resume();
  }
}
