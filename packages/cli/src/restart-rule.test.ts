import { expect, test } from 'vitest';
import { restartPauseMs, shortRunsAfter, shouldRestart } from './restart-rule.ts';

test.each([
  ['no', { code: 1, signal: null }, false],
  ['always', { code: 0, signal: null }, true],
  ['on-failure', { code: 0, signal: null }, false],
  ['on-failure', { code: 1, signal: null }, true],
  ['on-failure', { code: null, signal: 'SIGKILL' }, true],
  ['on-failure', { code: null, signal: 'SIGSEGV' }, true],
  ['on-failure', { code: null, signal: 'SIGTERM' }, false],
] as const)('%s, ended with %j: started again is %s', (rule, end, expected) => {
  expect(shouldRestart(rule, end)).toBe(expected);
});

test('who ends soon waits longer each time, up to half a minute; a long run begins anew', () => {
  expect([1, 2, 3, 6, 99].map(restartPauseMs)).toEqual([1_000, 2_000, 4_000, 30_000, 30_000]);
  expect(shortRunsAfter(3, 500)).toBe(4);
  expect(shortRunsAfter(3, 30_000)).toBe(0);
  expect(restartPauseMs(0)).toBe(1_000);
});
