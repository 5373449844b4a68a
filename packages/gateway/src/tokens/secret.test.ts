import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseSecret } from './secret.ts';

test('a text is its UTF-8 bytes, and counts them, not characters', () => {
  expect(parseSecret('é'.repeat(16)).export().toString()).toBe('é'.repeat(16));
  expect(() => parseSecret('e'.repeat(31))).toThrow('at least 32 bytes, this one has 31');
});

test('base64 is read only after base64:, padded or not, and strictly', () => {
  const bytes = randomBytes(32);
  const text = bytes.toString('base64');
  expect(parseSecret(`base64:${text}`).export()).toEqual(bytes);
  expect(parseSecret(`base64:${text.replace('=', '')}`).export()).toEqual(bytes);
  expect(parseSecret(text).export()).toEqual(Buffer.from(text));
});

const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
  type: 'spki',
  format: 'pem',
});

test.each<[why: string, text: string, message: RegExp]>([
  ['nothing', '', /at least 32 bytes/],
  ['short', 'hunter2', /at least 32 bytes/],
  ['base64 of 31 bytes', `base64:${randomBytes(31).toString('base64')}`, /at least 32 bytes/],
  ['base64 with a stray character', `base64:${'A'.repeat(42)}!A`, /not base64/],
  ['base64 with a line break', `base64:${'A'.repeat(44)}\n${'A'.repeat(4)}`, /not base64/],
  ['base64 with padding inside', `base64:${'A'.repeat(43)}=${'A'.repeat(44)}`, /not base64/],
  ['base64 cut in the middle of a byte', `base64:${'A'.repeat(45)}`, /not base64/],
  ['a lone surrogate', `${'a'.repeat(40)}\ud800`, /well-formed/],
  ['the public key of RS256', String(pem), /PEM/],
  ['the same, as base64', `base64:${Buffer.from(pem).toString('base64')}`, /PEM/],
])('refused, without repeating it: %s', (_why, text, message) => {
  expect(() => parseSecret(text)).toThrow(message);
  try {
    parseSecret(text);
  } catch (error) {
    if (text !== '') expect(String(error)).not.toContain(text);
  }
});
