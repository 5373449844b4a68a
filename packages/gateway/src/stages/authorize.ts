// 403: may this caller do it. The only maker of a Grant, and nothing is dispatched without one.
import type { AuthorizedRoles, ServiceDefinition } from '@reg/schema';
import type { Principal } from '../tokens/verifier.ts';
import { type Refusal, refuse } from './refusal.ts';

declare const granted: unique symbol;

/** Proof that `authorize` let this caller through to this service. */
export interface Grant {
  readonly [granted]: true;
  /** Undefined only where the service is public. */
  readonly principal: Principal | undefined;
  readonly definition: ServiceDefinition;
}

export function authorize(principal: Principal | undefined, definition: ServiceDefinition): Grant | Refusal {
  if (definition.access === 'public') return grant(principal, definition);
  if (!principal) {
    return refuse('token_missing', 'a Bearer token is needed', ['WWW-Authenticate', 'Bearer realm="reg"']);
  }
  if (fits(definition.authorizedRoles, principal.roles)) return grant(principal, definition);
  return refuse('role_missing', needed(definition.authorizedRoles), [
    'WWW-Authenticate',
    'Bearer realm="reg", error="insufficient_scope"',
  ]);
}

function grant(principal: Principal | undefined, definition: ServiceDefinition): Grant {
  return { principal, definition } as Grant;
}

/** An array: all of them, so an empty one asks for none. `{ anyOf }`: one of them. */
function fits(needed: AuthorizedRoles, held: readonly string[]): boolean {
  if ('anyOf' in needed) return needed.anyOf.some((role) => held.includes(role));
  return needed.every((role) => held.includes(role));
}

/** The registry's listing shows the same roles, so this tells a caller nothing that is secret. */
function needed(authorizedRoles: AuthorizedRoles): string {
  if ('anyOf' in authorizedRoles) return `needs one of the roles: ${authorizedRoles.anyOf.join(', ')}`;
  return `needs all of the roles: ${authorizedRoles.join(', ')}`;
}
