import type { AuthorizedRoles, ServiceDefinition } from '@reg/schema';
import { expect, test } from 'vitest';
import { principalOf } from '../tokens/principal.ts';
import { authorize } from './authorize.ts';

const definition = (
  authorizedRoles: AuthorizedRoles,
  access: 'token' | 'public' = 'token',
): ServiceDefinition => ({
  name: 'tickets',
  url: '/tickets',
  authorizedRoles,
  access,
});
const holding = (...roles: string[]) => principalOf({ sub: 'ann', roles }, 'roles');

test.each<[why: string, authorizedRoles: AuthorizedRoles, held: string[]]>([
  ['none needed, none held', [], []],
  ['none needed, some held', [], ['a']],
  ['the one', ['a'], ['a']],
  ['all of them, in any order', ['a', 'b'], ['c', 'b', 'a']],
  ['any of them', { anyOf: ['a', 'b'] }, ['b']],
  ['a role with spaces', ['Tickets Query'], ['Tickets Query']],
])('granted: %s', (_why, authorizedRoles, held) => {
  const principal = holding(...held);
  const asked = definition(authorizedRoles);
  expect(authorize(principal, asked)).toEqual({ principal, definition: asked });
});

test.each<[why: string, authorizedRoles: AuthorizedRoles, held: string[], detail: string]>([
  ['none held', ['a'], [], 'needs all of the roles: a'],
  ['one of two', ['a', 'b'], ['a'], 'needs all of the roles: a, b'],
  ['none of any', { anyOf: ['a', 'b'] }, ['c'], 'needs one of the roles: a, b'],
  ['any of nothing is nobody', { anyOf: [] }, ['a'], 'needs one of the roles: '],
  ['another case', ['a'], ['A'], 'needs all of the roles: a'],
  ['a part of the name', ['tickets-query'], ['tickets'], 'needs all of the roles: tickets-query'],
  ['the list as one name', ['a', 'b'], ['a,b', 'a b'], 'needs all of the roles: a, b'],
])('refused: %s', (_why, authorizedRoles, held, detail) => {
  expect(authorize(holding(...held), definition(authorizedRoles))).toEqual({
    kind: 'refusal',
    code: 'role_missing',
    detail,
    headers: ['WWW-Authenticate', 'Bearer realm="reg", error="insufficient_scope"'],
  });
});

test('no principal is a denial, even where no role is needed; only public needs none', () => {
  const refused = authorize(undefined, definition([]));
  expect(refused).toMatchObject({
    code: 'token_missing',
    headers: ['WWW-Authenticate', 'Bearer realm="reg"'],
  });
  expect(authorize(undefined, definition([], 'public'))).toMatchObject({ principal: undefined });
});
