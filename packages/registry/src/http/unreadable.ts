// Requests that node's parser refuses never reach the app. They get a problem all the same, written on
// the bare socket, and the connection ends: where the next request begins is unknown (RFC 9112 §9.2).
import { randomUUID } from 'node:crypto';
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { isRegError, type RegError, regError, toProblem } from '@reg/schema';
import { commonHeaders } from './common-headers.ts';
import type { Log } from './log.ts';
import { problemHeaders } from './problem.ts';

const maxLingerMs = 1_000;
const answers = new WeakMap<Duplex, ServerResponse>();
const refused = new WeakSet<Duplex>();

/** Remembers what is being answered on a socket: nothing may be written into the middle of it. */
export function followAnswers(server: Server): void {
  server.prependListener('request', (request, response) => answers.set(request.socket, response));
}

export function answerUnreadable(error: Error, socket: Duplex, log: Log): void {
  if (refused.has(socket)) return; // node tells again with every chunk that still comes
  refused.add(socket);
  if (!socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const problem = toProblem(reasonOf(error), requestId);
  const body = JSON.stringify(problem);
  const headers = {
    ...commonHeaders(requestId),
    ...problemHeaders(problem),
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${head.join('')}\r\n${body}`);
  const late = setTimeout(() => socket.destroy(), maxLingerMs); // what still comes is thrown away until then
  socket.once('close', () => clearTimeout(late));
  log({ kind: 'access', requestId, method: '', path: '', status: problem.status, ms: 0 });
}

/** An answer has begun, or is due to a request that came whole before this one. */
function isAnswering(socket: Duplex): boolean {
  const response = answers.get(socket);
  if (!response || response.writableFinished) return false;
  return response.headersSent || response.req.complete;
}

function reasonOf(error: Error & { code?: string }): RegError {
  if (isRegError(error)) return error;
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return regError('head_too_large', 'the request line and headers must have at most 16 KiB', {
        cause: error,
      });
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return regError('body_too_large', 'the extensions of the chunks are too large', { cause: error });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return regError('malformed_request', 'the request did not arrive in time', { cause: error });
    default:
      return regError('malformed_request', 'this is no HTTP/1.1 request that can be read safely', {
        cause: error,
      });
  }
}
