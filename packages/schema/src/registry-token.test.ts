import { expect, test } from 'vitest';
import { namesService, registryClaims, servicePattern } from './registry-token.ts';

test.each([
  ['tickets', ['tickets'], ['tickets2', 'ticket', 'Tickets', '']],
  ['billing-*', ['billing-', 'billing-eu'], ['billing', 'Billing-eu', 'xbilling-eu']],
  ['*', ['tickets', 'Tickets Query Service'], []],
])('%s names %j and not %j', (pattern, names, others) => {
  expect(names.filter((name) => namesService(pattern, name))).toEqual(names);
  expect(others.filter((name) => namesService(pattern, name))).toEqual([]);
});

test.each(['', 'a*b', '*a', '**', '*-*', 'a'.repeat(101)])('%j is no pattern', (pattern) => {
  expect(servicePattern.safeParse(pattern).success).toBe(false);
});

const good = { jti: 'one', exp: 2_000_000_000 };

test.each<[why: string, claims: object]>([
  ['no jti', { jti: undefined }],
  ['an empty jti', { jti: '' }],
  ['a jti of two lines', { jti: 'a\nb' }],
  ['a jti that is a number', { jti: 1 }],
  ['no exp', { exp: undefined }],
  ['an exp that is text', { exp: '2000000000' }],
  ['an endless exp', { exp: Number.POSITIVE_INFINITY }],
  ['an empty sub', { sub: '' }],
  ['services that are one word', { services: 'tickets' }],
  ['services that are null', { services: null }],
  ['a service that is no name', { services: ['a*b'] }],
  ['readOnly that is text', { readOnly: 'false' }],
])('refused: %s', (_why, claims) => {
  expect(registryClaims.safeParse(good).success).toBe(true);
  expect(registryClaims.safeParse({ ...good, ...claims }).success).toBe(false);
});
