import { expect, test } from 'vitest';
import { commandWords } from './command-words.ts';

test.each([
  ['node server.js', ['node', 'server.js']],
  ['  node   --flag=1 ', ['node', '--flag=1']],
  [`node 'a b' "c d" e\\ f`, ['node', 'a b', 'c d', 'e f']],
  [`node pre'mid'"post"`, ['node', 'premidpost']],
  [`node "say \\"it\\"" 'a\\b' "a\\b"`, ['node', 'say "it"', 'a\\b', 'a\\b']],
  [`node '' 'it'\\''s'`, ['node', '', "it's"]],
  [`sh -c 'a && b > c; d'`, ['sh', '-c', 'a && b > c; d']],
  [`node $HOME \${PORT} 5%`, ['node', '$HOME', `\${PORT}`, '5%']],
])('%s is the words %j', (text, words) => {
  expect(commandWords(text)).toEqual(words);
});

test.each([
  ['node "open', /a " is left open/],
  ["node 'open", /a ' is left open/],
  ['node \\', /a \\ is left open/],
  ['   ', /must name a program/],
  ['node a && node b', /runs no shell, so &&/],
  ['node a | tee b', /runs no shell, so \|/],
  ['node a > log', /runs no shell, so >/],
  ['node a; node b', /runs no shell, so ;/],
  ['node `which x`', /runs no shell, so `/],
  ['node $(which x)', /runs no shell, so \$\(/],
  ['node a &', /runs no shell, so &/],
])('%j is refused', (text, message) => {
  expect(() => commandWords(text)).toThrow(message);
});
