// A published set of keys (JWKS, RFC 7517 §5) as this gateway uses it: pure, text in, keys out. Each key has
// one algorithm, fixed by its type, so that no token can choose how it is verified (RFC 8725 §3.1).
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { isRocaModulus } from './roca.ts';

export type KeyAlgorithm = 'RS256' | 'ES256';

export interface VerificationKey {
  readonly kid: string | undefined;
  readonly algorithm: KeyAlgorithm;
  readonly key: KeyObject;
}

/** What a token's header says of its key. */
export interface KeyHint {
  readonly alg?: unknown;
  readonly kid?: unknown;
}

const maxKeys = 100;
const minRsaBits = 2048; // RFC 7518 §3.3
const maxRsaBits = 8192; // what verifying costs grows with its square

/**
 * Keys of other kinds and uses are passed over (RFC 7517 §5).
 * @throws Error for what is no set, holds no key for RS256 or ES256, or publishes a secret: it may have been
 * stolen, so nothing that it signs counts. No message holds any of the text
 */
export function parseKeySet(text: string): readonly VerificationKey[] {
  const keys = keysOf(text);
  if (!keys) throw new Error('it is no JWK set: a JSON object with an array "keys"');
  if (keys.length > maxKeys) throw new Error(`it has more than ${maxKeys} keys`);
  if (keys.some((key) => key.kty === 'oct' || 'd' in key || 'k' in key)) {
    throw new Error('it publishes a secret or private key');
  }
  const usable = keys.flatMap((key) => verificationKey(key) ?? []);
  if (usable.length === 0) throw new Error('it has no key for RS256 or ES256');
  return usable;
}

/**
 * Exactly one key must fit: a token that names none is good where there is only one of its algorithm.
 * @returns the key, or why there is none
 */
export function pickKey(
  set: readonly VerificationKey[],
  { alg, kid }: KeyHint,
): KeyObject | 'unknown' | 'ambiguous' {
  const fitting = set.filter((one) => one.algorithm === alg && (kid === undefined || one.kid === kid));
  const [first] = fitting;
  if (!first) return 'unknown';
  return fitting.length === 1 ? first.key : 'ambiguous';
}

/** The same for sets that verify the same. */
export function describeKeySet(set: readonly VerificationKey[]): string {
  return JSON.stringify(
    set.map(({ kid, algorithm, key }) => [kid, algorithm, key.export({ format: 'jwk' })]),
  );
}

function keysOf(text: string): readonly Readonly<Record<string, unknown>>[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // not JSON: the caller says so
  }
  const keys = isObject(value) ? value.keys : undefined;
  return Array.isArray(keys) && keys.every(isObject) ? keys : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function verificationKey(jwk: Readonly<Record<string, unknown>>): VerificationKey | undefined {
  const { kid, kty, alg, use, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return undefined;
  const algorithm = kty === 'RSA' ? 'RS256' : 'ES256';
  if (alg !== undefined && alg !== algorithm) return undefined;
  const { n, e, crv, x, y } = jwk;
  const key = importKey(kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y });
  return key && isStrong(key) ? { kid, algorithm, key } : undefined;
}

/** Node checks the types of the members, and that a point is on its curve. */
function importKey(jwk: Readonly<Record<string, unknown>>): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch {
    return undefined; // RFC 7517 §5: a key that is broken or of an unknown kind is passed over
  }
}

function isStrong(key: KeyObject): boolean {
  const { namedCurve, modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec') return namedCurve === 'prime256v1';
  if (key.asymmetricKeyType !== 'rsa') return false;
  if (modulusLength < minRsaBits || modulusLength > maxRsaBits) return false;
  if (publicExponent < 3n || publicExponent % 2n === 0n) return false; // with 1 the signature is the text
  return !isRocaModulus(Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url'));
}
