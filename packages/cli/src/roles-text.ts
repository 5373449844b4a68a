import type { ServiceDefinition } from '@reg/schema';

/** What a caller needs, for people. */
export function rolesText({
  access,
  authorizedRoles,
}: Pick<ServiceDefinition, 'access' | 'authorizedRoles'>): string {
  if (access === 'public') return '(public)';
  if (!Array.isArray(authorizedRoles)) return `any of ${authorizedRoles.anyOf.join(', ')}`;
  if (authorizedRoles.length === 0) return '(any token)';
  return authorizedRoles.join(', ');
}
