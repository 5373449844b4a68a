import { expect, test } from 'vitest';
import { formatCursor, parseCursor } from './cursor.ts';

test.each([
  ['e.1', { epoch: 'e', revision: 1, index: undefined }],
  ['e.1.0', { epoch: 'e', revision: 1, index: 0 }],
  ['8f2c.1790000000001.12', { epoch: '8f2c', revision: 1790000000001, index: 12 }],
])('%s is a cursor, and comes back as it went in', (text, cursor) => {
  expect(parseCursor(text)).toEqual(cursor);
  expect(formatCursor(cursor)).toBe(text);
});

test.each(['', 'e', 'e.', 'e.1.', 'e.1.01', 'e.1.-1', 'e.1.2.3', '.1', 'E.1', 'e.9007199254740993.1'])(
  '%j is no cursor',
  (text) => {
    expect(parseCursor(text)).toBeUndefined();
  },
);
