// The body of a request, read whole but never beyond its limit, and only where it says what it is.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FieldFault, regError } from '@reg/schema';
import { headerValues } from './header-values.ts';

const json = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

/** @throws `unsupported_media_type`, `body_too_large`, `invalid_json` (no UTF-8), `malformed_request` */
export async function readText(
  request: IncomingMessage,
  response: ServerResponse,
  limitBytes: number,
): Promise<string> {
  refuseOtherMedia(request);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  if (expectsContinue(request)) response.writeContinue();
  const body = await collect(request, limitBytes);
  if (!isUtf8(body)) throw regError('invalid_json', 'the body is not UTF-8 (RFC 8259 §8.1)');
  return body.toString('utf8');
}

/** An operation without a body refuses one: what it says would be lost without a word. */
export function bodyFaults({ headers }: IncomingMessage): FieldFault[] {
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return [];
  return [{ field: 'body', message: 'must be left out: this operation takes none' }];
}

function refuseOtherMedia(request: IncomingMessage): void {
  const types = headerValues(request, 'content-type');
  if (types.length !== 1 || !json.test(types[0] ?? '')) {
    throw regError('unsupported_media_type', 'Content-Type must be application/json, in UTF-8', {
      errors: [{ field: 'Content-Type', message: 'must be application/json' }],
    });
  }
  const codings = headerValues(request, 'content-encoding');
  if (codings.every((coding) => coding.toLowerCase() === 'identity')) return;
  throw regError('unsupported_media_type', 'Content-Encoding is not supported', {
    errors: [{ field: 'Content-Encoding', message: 'must be left out' }],
  });
}

/** Asked before the body is sent (RFC 9110 §10.1.1), so that a refusal costs no body. */
function expectsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return httpVersion === '1.1' && headers.expect?.toLowerCase() === '100-continue';
}

/**
 * Keeps nothing beyond the limit and leaves the connection alone: the refusal still goes over it. By events:
 * node's iterator over a stream costs as much as all that a short body is read for.
 */
function collect(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    const broken = (cause?: Error) => {
      if (request.readableEnded) return;
      reject(regError('malformed_request', 'the connection ended before the body did', { cause }));
    };
    if (request.readableEnded) return end(); // whoever mounts us has read it
    if (request.destroyed) return broken();
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) chunks.push(chunk);
      else reject(tooLarge(limitBytes));
    });
    request.on('end', end).on('error', broken).on('close', broken);
  });
}

function tooLarge(limitBytes: number) {
  return regError('body_too_large', `the body must have at most ${limitBytes} bytes`);
}
