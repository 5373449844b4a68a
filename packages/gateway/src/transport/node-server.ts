// Node's own HTTP server under the stages, and the handler that mounts in Express.

import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { regError, toProblem } from '@reg/schema/problem';
import type { GatewayRequest, GatewayResponse } from '../exchange.ts';
import { type Refusal, refuse } from '../stages/refusal.ts';
import { handBack, hasAnswerUnderWay } from './hand-back.ts';
import { viewRequest } from './node-request.ts';
import { NodeResponse } from './node-response.ts';
import { isWebSocket, type Upgrade, upgradableMessage, viewUpgrade } from './node-upgrade.ts';

export type Handle = (request: GatewayRequest, response: GatewayResponse) => Promise<void>;
export type NodeHandler = (message: IncomingMessage, response: ServerResponse) => void;

export type NodeUpgradeHandler = (message: IncomingMessage, socket: Socket, early: Buffer) => void;

export interface ListenOptions {
  /** @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  /** A TCP socket that listens already, instead: of systemd, say. */
  readonly fd?: number | undefined;
}

export interface NodeTransport {
  readonly handler: NodeHandler;
  /** For a server that is not ours: what is no WebSocket goes back to it. */
  readonly upgrade: NodeUpgradeHandler;
  /** @throws the error of `net.Server.listen`: `EADDRINUSE`, `EACCES` */
  listen(options: ListenOptions): Promise<{ url: string; port: number }>;
  /** Takes no more; finishes what is in flight, at most `withinMs`. */
  close(withinMs: number): Promise<void>;
}

const maxHeadBytes = 16 * 1024;
const headTimeoutMs = 15_000;

/** Unanswered requests of one connection; each has an upstream busy. Browsers do not pipeline at all. */
const maxPipelined = 100;

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** What a connection is busy with; a client may pipeline requests (RFC 9112 §9.3.2). */
interface Busy {
  /** The answer to its last request. */
  latest: ServerResponse;
  readonly open: Set<NodeResponse>;
}

const connections = new WeakMap<Socket, Busy>();

export function createNodeTransport(handle: Handle): NodeTransport {
  const servers = new Set<Server>();
  let closing = false;
  /** Node forgets the connections of these. */
  const upgrades = new Map<Socket, Upgrade>();
  const isClosing = () => closing;

  function serve(message: IncomingMessage, response: ServerResponse, waitsFor100: boolean): void {
    const view = new NodeResponse(message, response, isClosing, waitsFor100);
    const { open } = busyOf(message.socket, response);
    if (open.size >= maxPipelined) {
      message.socket.destroy();
      return;
    }
    open.add(view);
    response.on('close', () => open.delete(view));
    void handle(viewRequest(message, view, waitsFor100 ? response : undefined), view);
  }

  function serveUpgrade(message: IncomingMessage, socket: Socket, early: Buffer): void {
    const upgrade = viewUpgrade(message, socket, early);
    upgrades.set(socket, upgrade);
    socket.on('close', () => upgrades.delete(socket));
    void handle(upgrade.request, upgrade.response);
  }

  const handler: NodeHandler = (message, response) => serve(message, response, false);

  const upgrade: NodeUpgradeHandler = (message, socket, early) => {
    if (hasAnswerUnderWay(message, socket)) socket.destroy();
    else if (isWebSocket(message)) serveUpgrade(message, socket, early);
    else if (!handBack(message, socket, early)) {
      answerRaw(socket, refuse('malformed_request', 'the only upgrade taken here is to a WebSocket'));
    }
  };

  return {
    handler,
    upgrade,
    async listen({ host = '127.0.0.1', port, fd }) {
      const server = createServer({
        IncomingMessage: upgradableMessage(isBusy),
        maxHeaderSize: maxHeadBytes,
        headersTimeout: headTimeoutMs,
        requestTimeout: 0, // a long upload is no attack by itself; TCP keep-alive ends the dead
        connectionsCheckingInterval: 1_000, // node's 30 s would let slow heads stay that long
        requireHostHeader: false, // `accept` answers it as a problem
        keepAlive: true,
      });
      server.on('request', handler);
      server.on('checkContinue', (message, response) => serve(message, response, true));
      server.on('checkExpectation', handler); // others may be ignored (RFC 9110 §10.1.1)
      server.on('upgrade', (message, socket: Socket, early) => serveUpgrade(message, socket, early));
      server.on('connect', (_message, socket: Socket) => {
        answerRaw(socket, refuse('method_not_allowed', 'CONNECT is not forwarded', ['Allow', methods]));
      });
      server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseHead(error, socket));
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(fd === undefined ? { host, port } : { fd }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      servers.add(server);
      const address = server.address();
      if (address === null || typeof address === 'string') {
        throw regError('invalid_request', `file descriptor ${fd} is no TCP socket`);
      }
      const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return { url: `http://${name}:${address.port}`, port: address.port };
    },
    async close(withinMs) {
      closing = true;
      const late = setTimeout(() => {
        for (const socket of upgrades.keys()) socket.destroy();
      }, withinMs);
      for (const upgrade of upgrades.values()) upgrade.end();
      await Promise.all(Array.from(servers, (server) => closeServer(server, withinMs)));
      clearTimeout(late);
    },
  };
}

function closeServer(server: Server, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => server.closeAllConnections(), withinMs);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** What node's parser refused. In the middle of an answer there is nothing to say: it breaks off. */
function refuseHead(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    answerRaw(socket, refuse('head_too_large', `a head has at most ${maxHeadBytes} bytes`));
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    answerRaw(socket, refuse('malformed_request', 'the head did not come in time'));
  } else {
    answerRaw(socket, refuse('malformed_request', 'this is not HTTP/1.1 as RFC 9112 has it'));
  }
}

/** Node tells an answer of the connection's end only when it is that one's turn to be written. */
function busyOf(socket: Socket, latest: ServerResponse): Busy {
  const known = connections.get(socket);
  if (known) return Object.assign(known, { latest });
  const busy: Busy = { latest, open: new Set() };
  connections.set(socket, busy);
  socket.on('close', () => {
    for (const view of busy.open) view.clientLeft();
  });
  return busy;
}

/** An earlier request of its connection has no whole answer yet. */
function isBusy(socket: Socket): boolean {
  return (connections.get(socket)?.open.size ?? 0) > 0;
}

/** Bytes of an answer are out, or an earlier one is under way (then this one has no socket yet). */
function isAnswering(socket: Socket): boolean {
  const response = connections.get(socket)?.latest;
  if (!response || response.writableFinished) return false;
  return response.headersSent || response.socket !== socket;
}

/** Without a ServerResponse: there was no request to make one for. */
function answerRaw(socket: Socket, { code, detail, headers = [] }: Refusal): void {
  const requestId = randomUUID();
  const problem = toProblem(regError(code, detail), requestId);
  const body = JSON.stringify(problem);
  const lines = [`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`];
  const fields = [
    ...['Content-Type', 'application/problem+json', 'Content-Length', String(Buffer.byteLength(body))],
    ...['X-Request-Id', requestId, 'Connection', 'close', ...headers],
  ];
  for (let at = 0; at < fields.length; at += 2) lines.push(`${fields[at]}: ${fields[at + 1]}`);
  socket.on('error', () => socket.destroy()); // it left before it read why
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon());
}
