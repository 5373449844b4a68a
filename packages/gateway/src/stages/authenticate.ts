// 401: who asks. Bearer tokens only (RFC 6750); a public route looks at none.
import { isRegError } from '@reg/schema/problem';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';
import type { Principal, TokenVerifier } from '../tokens/verifier.ts';
import { type Refusal, refuse } from './refusal.ts';

const scheme = 'bearer';
const space = 0x20;

/**
 * The principal, undefined on a public route, or a refusal with its challenge (RFC 6750 §3). At once
 * where the token was verified before: no promise on the hot path.
 */
export function authenticate(
  headers: RawHeaders,
  access: 'token' | 'public',
  verifier: Pick<TokenVerifier, 'verify'>,
): Principal | undefined | Refusal | Promise<Principal | Refusal> {
  if (access === 'public') return undefined;
  const values = headerValues(headers, 'authorization');
  if (values.length > 1) return invalid('invalid_request', 'more than one Authorization header');
  const credentials = values[0] ?? '';
  if (!isBearer(credentials)) return missing();
  const token = tokenOf(credentials);
  if (token === '') return invalid('invalid_request', 'no token after Bearer');
  try {
    const principal = verifier.verify(token);
    return principal instanceof Promise ? principal.catch(refusalFor) : principal;
  } catch (error) {
    return refusalFor(error);
  }
}

/** The scheme in any case, and at least one space after it (RFC 9110 §11.4). */
function isBearer(credentials: string): boolean {
  const name = credentials.slice(0, scheme.length);
  if (name !== 'Bearer' && name.toLowerCase() !== scheme) return false;
  return credentials.length === scheme.length || credentials.charCodeAt(scheme.length) === space;
}

function tokenOf(credentials: string): string {
  let start = scheme.length;
  while (credentials.charCodeAt(start) === space) start++;
  return credentials.slice(start);
}

function missing(): Refusal {
  return refuse('token_missing', 'a Bearer token is needed', ['WWW-Authenticate', 'Bearer realm="reg"']);
}

function refusalFor(error: unknown): Refusal {
  if (isRegError(error) && error.code === 'token_invalid') return invalid('invalid_token', error.message);
  if (isRegError(error) && error.code === 'keys_unavailable') {
    return refuse('keys_unavailable', error.message, ['Retry-After', '1']);
  }
  throw error; // not the token's fault: nobody is let in, and it is logged as ours
}

function invalid(error: 'invalid_token' | 'invalid_request', detail: string): Refusal {
  const description = detail.replace(/[^\x20-\x7e]|["\\]/g, '?'); // the alphabet of RFC 6750 §3
  const challenge = `Bearer realm="reg", error="${error}", error_description="${description}"`;
  return refuse('token_invalid', detail, ['WWW-Authenticate', challenge]);
}
