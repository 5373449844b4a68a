import { expect, test } from 'vitest';
import { fullAllowance, takeNotes } from './note-limit.ts';

test('a burst is taken, then so many a second, and a clock that runs back gives none', () => {
  const emptied = takeNotes(fullAllowance, 2_000, 1_000);
  expect(emptied).toEqual({ left: 0, at: 1_000 });
  if (!emptied) return;
  expect(takeNotes(emptied, 1, 1_000)).toBeUndefined();
  expect(takeNotes(emptied, 1, 0)).toBeUndefined();
  expect(takeNotes(emptied, 100, 1_500)).toEqual({ left: 0, at: 1_500 });
  expect(takeNotes(emptied, 101, 1_500)).toBeUndefined();
  expect(takeNotes(emptied, 1, 1_000_000)).toEqual({ left: 1_999, at: 1_000_000 });
});
