import { expect, test } from 'vitest';
import { canonicalPath } from './canonical-path.ts';

test.each([
  ['/tickets', '/tickets'],
  ['/Tickets', '/Tickets'],
  ['/%74ickets', '/tickets'],
  ['/%5Freg', '/_reg'],
  ['/%5freg/%61', '/_reg/a'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/a%20b', '/a%20b'],
  ['/%7e%2d%2E', '/~-.'],
])('%s is %s', (path, canonical) => {
  expect(canonicalPath(path)).toBe(canonical);
  expect(canonicalPath(canonical)).toBe(canonical);
});
