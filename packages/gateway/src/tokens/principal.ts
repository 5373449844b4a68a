// Who asks, as the claims of a verified token say it.
import { regError } from '@reg/schema/problem';

/** Frozen, since one principal serves every request with its token. */
export interface Principal {
  /** Claim `sub`; empty where the token has none. */
  readonly subject: string;
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
}

/** @throws RegError `token_invalid` for a `sub` that no header can carry: two of them might look alike */
export function principalOf(claims: Readonly<Record<string, unknown>>, rolesClaim: string): Principal {
  const subject = typeof claims.sub === 'string' ? claims.sub : '';
  if (!subject.isWellFormed()) throw regError('token_invalid', 'the claim sub is not well-formed Unicode');
  const roles = Object.freeze(rolesOf(claims, rolesClaim));
  return Object.freeze({ subject, roles, claims: Object.freeze(claims) });
}

/** The claim's name is taken as it is, never as a path: `https://example.com/roles` is one key. */
function rolesOf(claims: Readonly<Record<string, unknown>>, rolesClaim: string): string[] {
  const value = claims[rolesClaim];
  if (Array.isArray(value)) return value.every(isRole) ? value : [];
  if (rolesClaim !== 'scope' || !isRole(value)) return [];
  return value.split(' ').filter((word) => word !== ''); // RFC 8693 §4.2
}

function isRole(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed();
}
