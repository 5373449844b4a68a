// The one file that knows express-jwt: signature, algorithm, audience, issuer, expiry and `nbf` are its.
// It is Express middleware; we hand it a request with the token and nothing else.
import type { KeyObject } from 'node:crypto';
import { isRegError, regError } from '@reg/schema/problem';
import { expressjwt } from 'express-jwt';
import type { KeyAlgorithm, KeyHint } from './key-set.ts';

export type Claims = Record<string, unknown>;

export interface SignatureCheckOptions {
  /**
   * A prepared secret key: with it, only HMAC is possible, and of that only HS256 is allowed. Or who knows the
   * public key for a token: then no HMAC is, so that a public key can never be taken for a secret.
   */
  readonly key: KeyObject | ((hint: KeyHint) => Promise<KeyObject>);
  readonly audience: string;
  readonly issuer: string;
  readonly leewayMs: number;
  readonly now: () => number;
}

interface TokenRequest {
  readonly method: 'GET';
  readonly headers: Record<string, never>;
  readonly token: string;
  auth?: unknown;
}

const publicKeyAlgorithms: KeyAlgorithm[] = ['RS256', 'ES256'];

/** @returns a check that resolves with the token's claims and rejects with RegError `token_invalid`, or what `key` throws */
export function createSignatureCheck({ key, audience, issuer, leewayMs, now }: SignatureCheckOptions) {
  const middleware = expressjwt({
    secret: typeof key === 'function' ? (_request, token) => key(token?.header ?? {}) : key,
    algorithms: typeof key === 'function' ? publicKeyAlgorithms : ['HS256'],
    audience,
    issuer,
    clockTolerance: leewayMs / 1_000,
    getToken: (request: unknown) => (request as TokenRequest).token,
    // jsonwebtoken copies its options at each check, and so asks our clock each time. Seconds, not whole.
    get clockTimestamp() {
      return now() / 1_000;
    },
  });

  return function checkSignature(token: string): Promise<Claims> {
    const request: TokenRequest = { method: 'GET', headers: {}, token };
    return new Promise((resolve, reject) => {
      const next = (error?: unknown) => {
        if (isRegError(error))
          reject(error); // of our own key finder
        else if (error) reject(regError('token_invalid', reasonOf(error)));
        else if (isClaims(request.auth)) resolve(request.auth);
        else reject(regError('token_invalid', 'the payload is not a JSON object'));
      };
      const [asked, answer] = [request, {}] as unknown as Parameters<typeof middleware>;
      middleware(asked, answer, next).catch(reject);
    });
  };
}

const reasons: Readonly<Record<string, string>> = {
  NotBeforeError: 'the token is not valid yet',
};

/** A JSON error quotes the payload: only jsonwebtoken's own words are passed on, and no cause. */
function reasonOf(error: unknown): string {
  const { inner } = error as { readonly inner?: Error & { readonly expiredAt?: Date } };
  if (inner?.name === 'JsonWebTokenError') return inner.message;
  if (inner?.name === 'TokenExpiredError') return `the token has expired${sinceText(inner.expiredAt)}`;
  return reasons[inner?.name ?? ''] ?? 'the token is malformed';
}

/** The claim may be any number, also one that is no date. */
function sinceText(expiredAt: Date | undefined): string {
  if (expiredAt === undefined || Number.isNaN(expiredAt.getTime())) return '';
  return `, at ${expiredAt.toISOString()}`;
}

function isClaims(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
