import { expect, test } from 'vitest';
import { commandLine, environmentLine, literal, plainValue, word } from './unit-syntax.ts';

test.each([
  ['plain', 'plain'],
  ['', '""'],
  ['a b', '"a b"'],
  ['100%', '100%%'],
  [`$HOME and \${HOME}`, `"$$HOME and $\${HOME}"`],
  ['say "it"', '"say \\"it\\""'],
  ["it's", '"it\'s"'],
  ['back\\slash', '"back\\\\slash"'],
  [';', '";"'],
  ['日本', '日本'],
])('the word %j is written %s', (text, written) => {
  expect(word(literal(text))).toBe(written);
});

test.each(['a\nExecStartPost=/bin/evil', 'a\u0000', 'a\u2028b', '\ud800'])(
  '%j is refused: it would begin a setting of its own, or cannot be written',
  (text) => {
    for (const write of [literal, plainValue, (value: string) => environmentLine('KEY', value)]) {
      expect(() => write(text)).toThrow(/cannot hold control characters/);
    }
  },
);

test('a variable of the environment has its % and quotes escaped, and its $ as it is', () => {
  expect(environmentLine('PRICE', '5% $HOME "x"')).toBe('Environment="PRICE=5%% $HOME \\"x\\""');
});

test('a value that ends with a backslash does not swallow the next line', () => {
  expect(plainValue('path\\')).toBe('path\\ ');
});

test('long lines are broken before a flag', () => {
  const flags = Array.from({ length: 12 }, (_, index) => `--flag-${index} value`);
  const lines = commandLine('ExecStart=', ['/bin/program', ...flags]).split('\n');
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.every((line) => line.length <= 115)).toBe(true);
  expect(lines.slice(1).every((line) => line.startsWith('    --flag-'))).toBe(true);
  expect(lines.map((line) => line.replace(/ \\$/, '').trim()).join(' ')).toBe(
    `ExecStart=/bin/program ${flags.join(' ')}`,
  );
});
