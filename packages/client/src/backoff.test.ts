import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

test.each([
  [1, 50, 100],
  [2, 100, 200],
  [6, 1_600, 3_200],
  [7, 2_500, 5_000],
  [1_000, 2_500, 5_000],
])('after %i failures between %i and %i ms', (failures, least, most) => {
  expect(backoffMs(failures, 0)).toBe(least);
  expect(backoffMs(failures, 1)).toBe(most);
});
