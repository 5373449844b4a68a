// The secret that callers' tokens are signed with. It is in no message here: messages go to logs.
import { createSecretKey, type KeyObject } from 'node:crypto';

/** RFC 7518 §3.2: an HS256 key is no shorter than its hash. */
const minSecretBytes = 32;

/**
 * The secret as a prepared key: verifying with a text prepares one each time, at forty times the cost.
 * @param text UTF-8 text, or `base64:` and the standard alphabet (RFC 4648 §4, padded or not)
 * @throws Error that says what is wrong, never what was given
 */
export function parseSecret(text: string): KeyObject {
  return secretKey(
    text.startsWith('base64:') ? bytesOfBase64(text.slice('base64:'.length)) : bytesOfText(text),
  );
}

/** @throws Error for bytes that are too few, or known to others */
export function secretKey(bytes: Buffer): KeyObject {
  if (bytes.length < minSecretBytes) {
    throw new Error(`the secret must have at least ${minSecretBytes} bytes, this one has ${bytes.length}`);
  }
  // Whoever verifies RS256 elsewhere has that text: with it they could sign for everybody here.
  if (bytes.includes('-----BEGIN ')) throw new Error('the secret must not be a PEM key or certificate');
  return createSecretKey(bytes);
}

function bytesOfText(text: string): Buffer {
  if (!text.isWellFormed()) throw new Error('the secret must be well-formed Unicode');
  return Buffer.from(text, 'utf8');
}

/** Node skips what is no base64; a mistyped secret must not become a shorter one. */
function bytesOfBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') === text.replace(/={0,2}$/, '')) return bytes;
  throw new Error('the secret after base64: is not base64');
}
