// The one file that knows jsonwebtoken: signature, algorithm, audience, expiry and `nbf` are its; what the
// claims must be is the schema's. Tokens are signed with the operator's own secret.
import type { KeyObject } from 'node:crypto';
import { namesService, type RegistryClaims, regError, registryAudience, registryClaims } from '@reg/schema';
import jwt from 'jsonwebtoken';
import type { Writer } from '../writer.ts';

export interface RegistryToken {
  /** Claim `jti`. */
  readonly id: string;
  readonly writer: Writer;
  /** Milliseconds since 1970, leeway included. */
  readonly expiresAt: number;
}

/** For clocks that differ between who signs and the registry: NTP keeps within one. */
const leewayMs = 5_000;

/** @throws `token_invalid`, whose message never holds any of the token */
export function readRegistryToken(token: string, key: KeyObject, now: number): RegistryToken {
  const claims = registryClaims.safeParse(verified(token, key, now));
  if (!claims.success) {
    const [issue] = claims.error.issues;
    throw regError('token_invalid', `the token's claim ${issue?.path.join('.')} ${issue?.message}`);
  }
  const { jti: id, exp } = claims.data;
  return { id, writer: writerOf(claims.data), expiresAt: exp * 1_000 + leewayMs };
}

function verified(token: string, key: KeyObject, now: number): unknown {
  try {
    const { header, payload } = jwt.verify(token, key, {
      algorithms: ['HS256'],
      audience: registryAudience,
      clockTolerance: leewayMs / 1_000,
      clockTimestamp: now / 1_000,
      complete: true,
    });
    if (!Object.hasOwn(header, 'crit')) return payload;
  } catch (error) {
    throw regError('token_invalid', reasonOf(error));
  }
  // RFC 7515 §4.1.11: who does not understand what `crit` lists must refuse; we understand nothing of it.
  throw regError('token_invalid', 'the header crit is not supported');
}

/** A JSON error quotes the payload: only jsonwebtoken's own words are passed on, and no cause. */
function reasonOf(error: unknown): string {
  if (error instanceof jwt.TokenExpiredError) return 'the token has expired';
  if (error instanceof jwt.NotBeforeError) return 'the token is not valid yet';
  if (!(error instanceof jwt.JsonWebTokenError)) return 'the token is malformed';
  if (error.message !== 'jwt malformed') return error.message;
  return "it is neither the registry's own token nor one signed with it";
}

/** A subject owns what any of its tokens registered, so a token may be replaced; without one the token does. */
function writerOf({ jti, sub, services = [], readOnly = false }: RegistryClaims): Writer {
  return {
    registrant: sub === undefined ? `jti:${jti}` : `sub:${sub}`,
    mayWrite: (service) => !readOnly && services.some((pattern) => namesService(pattern, service)),
  };
}
