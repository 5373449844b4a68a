// The token check: our stricter rules around express-jwt's, and the memory of what passed.
import type { KeyObject } from 'node:crypto';
import { regError } from '@reg/schema/problem';
import { type Claims, createSignatureCheck } from './express-jwt.ts';
import { type Principal, principalOf } from './principal.ts';
import { createRemembered } from './remembered.ts';
import { parseSecret, secretKey } from './secret.ts';

export type { Principal } from './principal.ts';

export interface TokenVerifier {
  /**
   * Who the token names; at once where it was verified before, else by a promise.
   * @throws (or rejects with) RegError `token_invalid`, whose message never holds any of the token
   */
  verify(token: string): Promise<Principal> | Principal;
}

export interface TokenVerifierOptions {
  /** HS256 secret, at least 32 bytes; a text is read as `parseSecret` does. */
  readonly secret: KeyObject | string;
  /** @default 'reg' */
  readonly audience?: string | undefined;
  /** @default 'reg' */
  readonly issuer?: string | undefined;
  /** The claim that holds the roles; `scope` may also be words. @default 'roles' */
  readonly rolesClaim?: string | undefined;
  /** Milliseconds since 1970, of the wall clock: `exp` is its time, also after the machine slept. @default Date.now */
  readonly now?: (() => number) | undefined;
  /** How many verified tokens are kept; the oldest go first. @default 10_000 */
  readonly maxRemembered?: number | undefined;
}

const maxTokenCharacters = 64 * 1024;
const maxRememberedCharacters = 16 * 1024 * 1024;

/** For clocks that differ between issuer and gateway. Below the 60 s that are allowed: NTP keeps within one. */
const leewayMs = 5_000;

/** @throws Error for a secret that is too short or of the wrong kind */
export function createTokenVerifier({
  secret,
  audience = 'reg',
  issuer = 'reg',
  rolesClaim = 'roles',
  now = Date.now,
  maxRemembered = 10_000,
}: TokenVerifierOptions): TokenVerifier {
  if (audience === '' || issuer === '') throw new Error('audience and issuer must not be empty'); // unpinned, else
  const key = keyOf(secret);
  const checkSignature = createSignatureCheck({ key, audience, issuer, leewayMs, now });
  const remembered = createRemembered({ maxTokens: maxRemembered, maxCharacters: maxRememberedCharacters });

  async function verifyNow(token: string): Promise<Principal> {
    refuseOddForm(token);
    const claims = await checkSignature(token);
    const expiresAt = expiryOf(claims);
    const principal = principalOf(claims, rolesClaim);
    remembered.keep(token, principal, expiresAt);
    return principal;
  }

  return { verify: (token) => remembered.find(token, now()) ?? verifyNow(token) };
}

function keyOf(secret: KeyObject | string): KeyObject {
  if (typeof secret === 'string') return parseSecret(secret);
  if (secret.type === 'secret') return secretKey(secret.export());
  throw new Error(`the JWT secret must be a secret key, not a ${secret.type} one`);
}

/** Three segments (RFC 7515 §3.1) and a header that asks for nothing we do not know. */
function refuseOddForm(token: string): void {
  if (token.length > maxTokenCharacters) throw regError('token_invalid', 'the token has more than 64 KiB');
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw regError('token_invalid', 'the token is malformed');
  const segments = token.split('.').map((segment) => Buffer.from(segment, 'base64url'));
  // Unused bits that are set, and spare characters: one token would have several spellings.
  const canonical = segments.map((bytes) => bytes.toString('base64url')).join('.');
  if (canonical !== token) throw regError('token_invalid', 'the token is not base64url');
  const header = jsonObject(String(segments[0]));
  if (!header) throw regError('token_invalid', 'the header is not a JSON object');
  // RFC 7515 §4.1.11: who does not understand what `crit` lists must refuse; we understand nothing of it.
  if (Object.hasOwn(header, 'crit')) throw regError('token_invalid', 'the header crit is not supported');
}

function jsonObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined; // not JSON: the caller says so
  }
}

/** RFC 7519 §2: a NumericDate is a JSON number; `1e400` is one too, and would never end. */
function expiryOf(claims: Claims): number {
  for (const name of ['exp', 'nbf', 'iat']) {
    const time = claims[name];
    if (time === undefined && name !== 'exp') continue;
    if (!Number.isFinite(time)) throw regError('token_invalid', `the claim ${name} must be a finite number`);
  }
  return (claims.exp as number) * 1_000 + leewayMs;
}
