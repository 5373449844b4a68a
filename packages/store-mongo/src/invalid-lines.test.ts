import { expect, test } from 'vitest';
import { createInvalidLines } from './invalid-lines.ts';

const documents = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ id: `d${from + index}`, path: 'url', message: 'is wrong' }));

test('a line a document; of very many the first twenty of a minute, and once that there are more', () => {
  let now = 0;
  const lines: string[] = [];
  const logInvalid = createInvalidLines({ clock: { now: () => now }, log: (line) => lines.push(line) });
  logInvalid([{ id: 'x', path: '', message: 'Unrecognized key: "note"' }]);
  logInvalid(documents(1));
  expect(lines.splice(0)).toEqual([
    'the document x is left alone: Unrecognized key: "note"',
    'the document d0 is left alone: url: is wrong',
  ]);
  logInvalid(documents(30, 1));
  logInvalid(documents(30, 31));
  expect(lines).toHaveLength(19);
  expect(lines.splice(0).at(-1)).toMatch(/^more documents are left alone: reg services --invalid/);
  now += 60_000;
  logInvalid(documents(20));
  expect(lines).toHaveLength(20);
  logInvalid(documents(1));
  expect(lines.splice(20)).toEqual([expect.stringMatching(/^more documents/)]);
});
