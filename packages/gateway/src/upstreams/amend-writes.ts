// undici can send no trailers, and names nothing of ours in its `Connection`. Both are put into what it
// writes: it writes heads and the last chunk as strings of their own, and bodies as bytes.
import type { Socket } from 'node:net';
import type { RawHeaders } from '../headers/raw-headers.ts';

const lastChunk = '\r\n0\r\n\r\n';

export interface AmendedWrites {
  /** A head is the next that is written. */
  expectHead(): void;
  /** The end of a chunked body is the next that is written: these go with it. */
  expectEnd(trailers: RawHeaders): void;
}

export function amendWrites(socket: Socket): AmendedWrites {
  const write = socket.write;
  let awaitsHead = false;
  let trailers: RawHeaders = [];

  function amended(text: string): string {
    if (awaitsHead) {
      awaitsHead = false;
      return text.includes('\r\nTE: trailers\r\n') ? namingTe(text) : text;
    }
    if (trailers.length === 0 || text !== lastChunk) return text;
    let fields = '';
    for (let at = 0; at + 1 < trailers.length; at += 2) fields += `${trailers[at]}: ${trailers[at + 1]}\r\n`;
    trailers = [];
    return `\r\n0\r\n${fields}\r\n`;
  }

  socket.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean =>
    Reflect.apply(write, socket, [typeof chunk === 'string' ? amended(chunk) : chunk, ...rest]);
  return {
    expectHead() {
      awaitsHead = true;
      trailers = [];
    },
    expectEnd(fields) {
      trailers = fields;
    },
  };
}

/** RFC 9110 §10.1.4: whoever sends TE names it in `Connection`, so that nobody passes it on unread. */
function namingTe(head: string): string {
  return head.replace(/\r\nconnection: (keep-alive|close)\r\n/, '\r\nconnection: $1, TE\r\n');
}
