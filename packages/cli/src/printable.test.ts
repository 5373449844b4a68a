import { expect, test } from 'vitest';
import { printable, printableJson } from './printable.ts';
import { columnsOf, table } from './table.ts';

test.each([
  ['\u001b[2Jgone', '\\u001b[2Jgone'],
  ['a\nb\tc\u007f\u0085\u009b', 'a\\u000ab\\u0009c\\u007f\\u0085\\u009b'],
  ['\u202etxt.exe\u2066\u2028', '\\u202etxt.exe\\u2066\\u2028'],
  ['\ud800', '\\ud800'],
  ['Tïckets 日本 🎫', 'Tïckets 日本 🎫'],
])('%j is printed as %s', (text, printed) => {
  expect(printable(text)).toBe(printed);
});

test('JSON holds no raw control character and parses to the same value', () => {
  const value = { name: 'a\u001b\u009b\u2028\u202e\u007f"\\', list: ['日本'] };
  expect(printableJson(value)).toMatch(/^[^\p{Cc}\u2028\u202e]*$/u);
  expect(JSON.parse(printableJson(value))).toEqual(value);
});

test('a table is as wide as a terminal shows it: wide letters take two columns, marks none', () => {
  expect(columnsOf('日本')).toBe(4);
  expect(columnsOf('e\u0301')).toBe(1);
  expect(columnsOf('🎫')).toBe(2);
  expect(
    table([
      ['A', 'B'],
      ['日本', 'x'],
      ['', 'y'],
    ]),
  ).toEqual(['A     B', '日本  x', '-     y']);
});
