// undici treats a `100 Continue` that it did not ask for as a broken answer, yet a client must take any
// number of 1xx before the answer (RFC 9110 §15.2), and some servers send 100 for every POST. It is
// taken out of the bytes before undici's parser sees them; undici reads a socket by `read()` alone.
import type { Socket } from 'node:net';

const start = Buffer.from('HTTP/1.1 100');
const end = '\r\n\r\n';

/** Bytes of one informational head; a longer one is left to undici, which refuses it. */
const maxHeadBytes = 8_192;

/** @returns call it when a request is sent: from there on, leading 100s are taken out */
export function skipContinue(socket: Socket): () => void {
  const read = socket.read.bind(socket);
  let awaitsHead = false;
  let held: Buffer | undefined;

  function next(): Buffer | null {
    const chunk: Buffer | null = read();
    if (!awaitsHead || chunk === null) return chunk;
    let bytes = held ? Buffer.concat([held, chunk]) : chunk;
    held = undefined;
    while (begins100(bytes)) {
      const head = bytes.indexOf(end);
      if (head === -1 && bytes.length <= maxHeadBytes) {
        held = bytes;
        return null; // the rest of the head comes with the next 'readable'
      }
      if (head === -1) break;
      bytes = bytes.subarray(head + end.length);
      if (bytes.length === 0) return next();
    }
    awaitsHead = false;
    return bytes;
  }

  socket.read = next;
  return () => {
    awaitsHead = true;
    held = undefined;
  };
}

/** Also where too few bytes are there to tell. */
function begins100(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}
