// Every time of the client stands in one table of its README, with its reason: both are read and compared.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const timesIn = (text: string) => [...text.matchAll(/\b\w+Ms = [\d_]+/g)].map(([time]) => time);

test('the table of times names each constant of the code with its value, and none that is not there', () => {
  const [, table = ''] = /^## Times\n([\s\S]*?)^## /m.exec(read('../README.md')) ?? [];
  const sources = readdirSync(new URL('.', import.meta.url)).filter((file) => /^[\w-]+\.ts$/.test(file));
  const files = [...sources, '../../schema/src/defaults.ts'];
  const inCode = files.flatMap((file) => timesIn(read(`./${file}`)));
  expect(new Set(timesIn(table))).toEqual(new Set(inCode));
  expect(inCode.length).toBeGreaterThan(15);
});

test('no pause is a bare number', () => {
  const sources = readdirSync(new URL('.', import.meta.url)).filter((file) => /^[\w-]+\.ts$/.test(file));
  const bare = sources.flatMap(
    (file) => read(`./${file}`).match(/(sleep\(|inMs: |timeoutMs: )[1-9]\d*/g) ?? [],
  );
  expect(bare).toEqual([]);
});
