// The token check: our stricter rules around express-jwt's, and the memory of what passed.
import type { KeyObject } from 'node:crypto';
import { regError } from '@reg/schema/problem';
import { type Claims, createSignatureCheck } from './express-jwt.ts';
import { createJwks, type JwksOptions } from './jwks.ts';
import { type Principal, principalOf } from './principal.ts';
import { createRemembered } from './remembered.ts';
import { parseSecret, secretKey } from './secret.ts';

export type { Principal } from './principal.ts';

export interface TokenVerifier {
  /**
   * Who the token names; at once where it was verified before, else by a promise.
   * @throws (or rejects with) RegError `token_invalid`, whose message never holds any of the token, or
   * `keys_unavailable`: no key set was loaded yet
   */
  verify(token: string): Promise<Principal> | Principal;
  /** Why tokens cannot be checked, or by an old key set alone; undefined where nothing is wrong. */
  readonly fault: string | undefined;
  /** Asks for no key set any more. */
  close(): void;
}

export interface TokenVerifierOptions {
  /** HS256 secret, at least 32 bytes; a text is read as `parseSecret` does. This or `jwks`. */
  readonly secret?: KeyObject | string | undefined;
  /** The issuer's public keys (RS256, ES256). Then `audience` and `issuer` must be given: others use them too. */
  readonly jwks?: JwksOptions | undefined;
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

/** @throws Error for a secret that is too short or of the wrong kind, a JWKS URL that is not safe, and no audience */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { secret, jwks, audience = 'reg', issuer = 'reg', rolesClaim = 'roles' } = options;
  const { now = Date.now, maxRemembered = 10_000 } = options;
  if ((secret === undefined) === (jwks === undefined)) throw new Error('either secret or jwks must be given');
  if (jwks && (options.audience === undefined || options.issuer === undefined)) {
    throw new Error('with jwks, audience and issuer must be given: the issuer signs for others too');
  }
  if (audience === '' || issuer === '') throw new Error('audience and issuer must not be empty'); // unpinned, else
  const forgetAll = () =>
    createRemembered({ maxTokens: maxRemembered, maxCharacters: maxRememberedCharacters });
  let remembered = forgetAll();
  const keySet =
    jwks &&
    createJwks(jwks, () => {
      remembered = forgetAll(); // what a key signed that is withdrawn counts no longer
    });
  const key = keySet?.keyFor ?? keyOf(secret ?? '');
  const checkSignature = createSignatureCheck({ key, audience, issuer, leewayMs, now });

  async function verifyNow(token: string): Promise<Principal> {
    const memory = remembered; // keys may change meanwhile: then it is of no use to keep it
    refuseOddForm(token);
    const claims = await checkSignature(token);
    const expiresAt = expiryOf(claims);
    const principal = principalOf(claims, rolesClaim);
    memory.keep(token, principal, expiresAt);
    return principal;
  }

  return {
    verify: (token) => remembered.find(token, now()) ?? verifyNow(token),
    get fault() {
      return keySet?.fault;
    },
    close: () => keySet?.close(),
  };
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
  if ('kid' in header && typeof header.kid !== 'string')
    throw regError('token_invalid', 'the header kid is no text');
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
