// A server that has a listener for upgrades gets every Upgrade there is, of any protocol, taken off node's
// parser, body and all. What is no WebSocket goes back: an Upgrade may be ignored (RFC 9110 §7.8), and many
// clients try h2c with their first request.
import { type IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';

/** @returns false: the connection's server is not known, so there is nobody to give it back to */
export function handBack(message: IncomingMessage, socket: Socket, early: Buffer): boolean {
  const server = 'server' in socket ? socket.server : undefined; // node keeps it there
  const isSecure = server instanceof SecureServer;
  if (!isSecure && !(server instanceof Server)) return false;
  socket.unshift(Buffer.concat([headOf(message), early]));
  // "can also be explicitly emitted by users to inject connections into the HTTP server" (node's docs)
  server.emit(isSecure ? 'secureConnection' : 'connection', socket);
  return true;
}

/** An earlier answer is under way: where another would begin on this connection, nobody could tell. */
export function hasAnswerUnderWay(message: IncomingMessage, socket: Socket): boolean {
  const probe = new ServerResponse(message);
  try {
    probe.assignSocket(socket);
  } catch {
    return true; // ERR_HTTP_SOCKET_ASSIGNED, the one thing that it throws
  }
  probe.detachSocket(socket);
  return false;
}

/** As it came, without the wish: every part was read by node's parser, so nothing can end a line here. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === 'upgrade') continue;
    head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, 'latin1');
}
