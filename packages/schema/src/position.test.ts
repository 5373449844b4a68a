import { expect, test } from 'vitest';
import { formatPosition, parsePosition } from './position.ts';

test('what is written is read back', () => {
  const position = { epoch: 'k3x9', revision: 1_732_300_000_000 };
  expect(parsePosition(formatPosition(position))).toEqual(position);
});

test.each([
  '',
  'a',
  'a.',
  '.1',
  'a.-1',
  'a.01',
  'a.1.2',
  'A.1',
  'a.9007199254740992',
  'a.1e3',
  `${'x'.repeat(33)}.1`,
])('%j is no position', (text) => {
  expect(parsePosition(text)).toBeUndefined();
});
