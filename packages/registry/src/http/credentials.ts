// Who asks: the operator, by the registry's token itself; somebody who may do less, by a token signed with
// it; or nobody. Without a token set, everybody may do everything, and guard.ts keeps them on this machine.
import { createHash, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type OperationName, regError } from '@reg/schema';
import type { Writer } from '../writer.ts';
import { headerValues } from './header-values.ts';
import { readRegistryToken } from './registry-token.ts';

export interface Credentials {
  /** The operator's token, 32 bytes or more: it may do everything, and signs what may do less. */
  readonly token: KeyObject;
  /** Whether a token that names itself so (`jti`) counts no more. Asked at each request. @default none is revoked */
  readonly isRevoked?: ((id: string) => boolean) | undefined;
}

export interface Asker {
  /** Nobody reads nothing but what a load balancer needs. */
  readonly mayRead: boolean;
  /** Undefined: an operator. */
  readonly writer: Writer | undefined;
  /** For the history: `operator`, `sub:NAME`, `jti:ID`; undefined: no token is asked for. */
  readonly by: string | undefined;
  /** For what goes on after it was answered: neither expired nor revoked meanwhile. */
  lasts(): boolean;
}

const minTokenBytes = 32;
const maxRemembered = 2_000;
/** A token beyond it is checked at each request: what is remembered stays under 16 MiB. */
const maxRememberedCharacters = 8 * 1024;

const anybody: Asker = { mayRead: true, writer: undefined, by: undefined, lasts: () => true };
const operator: Asker = { ...anybody, by: 'operator' };
const nobody: Asker = {
  mayRead: false,
  writer: { registrant: '', mayWrite: () => false },
  by: undefined,
  lasts: () => true,
};

/**
 * @returns says who sends a request. @throws `token_missing`, `token_invalid`
 * @throws Error, itself, for a token that is too short
 */
export function createCredentials(
  credentials: Credentials | undefined,
  now: () => number = Date.now,
): (operation: OperationName, request: IncomingMessage) => Asker {
  if (!credentials) return () => anybody;
  const { token: key, isRevoked = () => false } = credentials;
  const secret = key.export();
  if (secret.length < minTokenBytes)
    throw new Error(`the registry's token must have at least ${minTokenBytes} bytes`);
  const digest = digestOf(secret);
  const remembered = new Map<string, Asker>(); // oldest out: one in use comes back for one verification

  function askerOf(token: string): Asker {
    const known = remembered.get(token);
    if (known?.lasts()) return known;
    remembered.delete(token);
    if (timingSafeEqual(digestOf(bytesOf(token)), digest)) return operator;
    const { id, writer, expiresAt } = readRegistryToken(token, key, now());
    if (isRevoked(id)) throw regError('token_invalid', 'the token was revoked');
    const lasts = () => now() < expiresAt && !isRevoked(id);
    const asker: Asker = { mayRead: true, writer, by: writer.registrant, lasts };
    if (token.length <= maxRememberedCharacters) remembered.set(token, asker);
    for (const oldest of remembered.keys()) {
      if (remembered.size <= maxRemembered) break;
      remembered.delete(oldest);
    }
    return asker;
  }

  return (operation, request) => {
    const token = bearerOf(request);
    if (token !== undefined) return askerOf(token);
    if (operation === 'health') return nobody;
    throw regError('token_missing', 'the registry needs a token: Authorization: Bearer …');
  };
}

/** RFC 6750 §2.1, the scheme in any case. Two of them might be read as either. */
function bearerOf(request: IncomingMessage): string | undefined {
  const [value, another] = headerValues(request, 'authorization');
  if (another !== undefined) throw regError('token_invalid', 'more than one Authorization header');
  return /^bearer +(\S.*)$/i.exec(value ?? '')?.[1];
}

/** The secret as its bytes, however it is spelled. Node reads headers as Latin-1: a character is a byte. */
export function bytesOf(token: string): Buffer {
  return token.startsWith('base64:')
    ? Buffer.from(token.slice('base64:'.length), 'base64')
    : Buffer.from(token, 'latin1');
}

/** Digests are of one length, so the comparison tells nothing, not even that of the secret. */
export function digestOf(secret: string | Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}
