// From an answer to bytes; and what becomes of the connection when the request was not read to its end.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { commonHeaders } from './common-headers.ts';
import type { Answer } from './handlers.ts';
import { sendTogether } from './send-together.ts';

/** More than this is not read only to be thrown away. */
const maxDiscardedBytes = 64 * 1024;
const maxLingerMs = 1_000;

export function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { status, content, headers }: Answer,
  requestId: string,
): void {
  if (response.headersSent || response.destroyed) return;
  const body = content === undefined ? '' : JSON.stringify(content);
  const all = commonHeaders(requestId);
  if (content !== undefined) all['Content-Type'] = 'application/json';
  if (status !== 304) all['Content-Length'] = Buffer.byteLength(body);
  Object.assign(all, headers);
  const lingers = !request.complete && !isSoonRead(request);
  if (lingers) all.Connection = 'close';
  response.writeHead(status, all);
  if (lingers) closeLingering(request, response, body);
  else sendTogether(response, body);
}

/** Node reads the rest of a small body by itself, and the connection serves on. */
function isSoonRead({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= maxDiscardedBytes
  );
}

/**
 * Closing a connection on which bytes still arrive resets it, and the caller may lose the answer
 * (RFC 9112 §9.6). So the answer goes out whole, what comes is thrown away for a bounded while, then we end.
 */
function closeLingering(request: IncomingMessage, response: ServerResponse, body: string): void {
  response.write(body);
  const late = setTimeout(() => response.end(), maxLingerMs);
  request.once('end', () => response.end());
  request.on('error', () => response.end()); // the caller left: nothing more to say
  response.once('close', () => clearTimeout(late));
  request.resume();
}
