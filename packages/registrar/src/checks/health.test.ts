import { expect, test } from 'vitest';
import { type CheckHealth, initialHealth, judge, worst } from './health.ts';
import { failed, passed, type Verdict } from './verdict.ts';

const thresholds = { failures: 3, passes: 2 };
const letters: Record<string, Verdict> = {
  p: passed('200'),
  w: { outcome: 'warned', because: '200 after 900 ms' },
  f: failed('503'),
};

function after(begin: CheckHealth['state'], verdicts: string): CheckHealth {
  return [...verdicts].reduce(
    (health, letter, index) => judge(health, letters[letter] ?? failed('?'), thresholds, index + 1),
    initialHealth(begin, 'new', 0),
  );
}

test.each([
  ['starting', 'p', 'starting'],
  ['starting', 'pp', 'passing'],
  ['starting', 'pfp', 'starting'],
  ['starting', 'pw', 'warning'],
  ['starting', 'fff', 'failing'],
  ['passing', 'ff', 'passing'],
  ['passing', 'ffpff', 'passing'],
  ['passing', 'fff', 'failing'],
  ['passing', 'w', 'warning'],
  ['warning', 'p', 'passing'],
  ['failing', 'p', 'failing'],
  ['failing', 'pp', 'passing'],
] as const)('%s, then %s: %s', (begin, verdicts, expected) => {
  expect(after(begin, verdicts).state).toBe(expected);
});

test('a change says since when and why', () => {
  expect(after('passing', 'pfff')).toMatchObject({ since: 4, because: '503, 3 times in a row' });
  expect(after('passing', 'ppp')).toMatchObject({ since: 0, because: '200' });
});

test('of several checks the worst counts, and of those the first', () => {
  const of = (state: CheckHealth['state'], since: number) => ({ state, since, because: String(since) });
  expect(worst([of('passing', 1), of('failing', 3), of('failing', 2)])).toMatchObject({ since: 2 });
  expect(worst([of('warning', 1), of('starting', 2)])).toMatchObject({ state: 'starting' });
  expect(worst([])).toBeUndefined();
});
