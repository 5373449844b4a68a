// For tests: tokens of any shape, also those that no library would sign; and seeded choices.
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

/** mulberry32: the same seed, the same numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
