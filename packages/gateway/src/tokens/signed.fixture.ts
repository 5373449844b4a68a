// For tests: tokens of any shape, also those that no library would sign.
import { createHmac, createSecretKey } from 'node:crypto';

export const secretText = 'a secret of the tests, longer than 32 bytes';
export const secret = createSecretKey(secretText, 'utf8');

/** 2026-01-01, in milliseconds since 1970. */
export const testTime = 1_767_225_600_000;

/** Claims that pass, for an hour after `testTime`. */
export const goodClaims = {
  sub: 'ann',
  aud: 'reg',
  iss: 'reg',
  exp: testTime / 1_000 + 3_600,
  roles: ['tickets-query'],
};

/** Header and payload as JSON, or as the very text that is given. */
export function signed(
  payload: unknown,
  header: unknown = { alg: 'HS256', typ: 'JWT' },
  key = secret,
): string {
  const input = [header, payload].map(segment).join('.');
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}

function segment(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}
