import { readdirSync, readFileSync } from 'node:fs';
import { isRegError } from '@reg/schema';
import { expect, test } from 'vitest';
import { hasShared, sharedFolder, skipWithout } from '../../../../tests/support/part.ts';
import { seededRandom, seeds } from '../../../../tests/support/random.ts';
import { count } from '../../../../tests/support/size.ts';
import { parseJson } from './json.ts';
import { startApi } from './test-api.ts';

const corpus = `${sharedFolder}corpora/jsontestsuite/test_parsing/`;

// Over a socket, since bytes that are no UTF-8 are refused before there is any text.
test.skipIf(skipWithout('the JSON test suite', hasShared))(
  'the JSON test suite: what must be refused is, what must be accepted is unless it names a thing twice',
  async () => {
    await using api = await startApi();
    const verdicts: Record<string, string> = {};
    for (const file of readdirSync(corpus)) {
      const reply = await api.send({ method: 'POST', path: '/v1/leases', body: readFileSync(corpus + file) });
      verdicts[file] = reply.problem.code; // what is JSON is no list of renewals, so `invalid_request`
    }
    const wrong = Object.entries(verdicts).filter(([file, code]) => {
      if (file.startsWith('i_')) return !['invalid_json', 'invalid_request'].includes(code); // either is right
      const accepted = file.startsWith('y_') && !file.startsWith('y_object_duplicated_key');
      return code !== (accepted ? 'invalid_request' : 'invalid_json');
    });
    expect(wrong).toEqual([]);
    expect(Object.keys(verdicts).length).toBeGreaterThan(300);
  },
);

test.each([
  ['{"a":1,"a":1}', 'a'],
  ['{"a":[{"b":0},{"b":1,"c":{"d":1,"\\u0064":2}}]}', 'a.1.c.d'],
  ['[{"__proto__":{}}]', '0.__proto__'],
  ['{"metadata":{"constructor":"x"}}', 'metadata.constructor'],
  ['{"prototype":1}', 'prototype'],
  ['{"\\u005f_proto__":1}', '__proto__'],
  ['{"":1,"":2}', ''],
])('%s is refused, naming %s', (text, field) => {
  expect(faultOf(text)).toMatchObject({ code: 'invalid_json', errors: [{ field }] });
});

test.each([
  '{"a":"b","b":"a"}',
  '[{"a":1},{"a":1}]',
  '{"a":{"a":{"a":["a","a"]}}}',
  '{"a":"\\"a\\":1,\\\\","b":"{[}"}',
  '{"a":"__proto__"}',
])('%s is taken as it is', (text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text));
});

test('nesting is taken to 32 and refused beyond', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  expect(parseJson(nested(32))).toBeDefined();
  expect(faultOf(nested(33))).toMatchObject({ code: 'invalid_json' });
  expect(faultOf(nested(10_000))).toMatchObject({ code: 'invalid_json' });
});

test('a byte order mark and an empty body are refused', () => {
  expect(faultOf('\ufeff{}')).toMatchObject({ code: 'invalid_json' });
  expect(faultOf('')).toMatchObject({ code: 'invalid_json' });
});

test.each(seeds([20_261_122]))(
  'seed %i: random documents: as JSON.parse reads them, but for a name given twice',
  (seed) => {
    const random = seededRandom(seed);
    for (let round = 0; round < count({ reduced: 2_000, whole: 200_000 }); round++) {
      const document = randomDocument(random, 0);
      const text = random() < 0.3 ? damaged(document.text, random) : document.text;
      const label = `seed ${seed}: ${text}`;
      const fault = faultOf(text);
      if (!isJson(text)) expect(fault, label).toMatchObject({ code: 'invalid_json' });
      else if (text !== document.text)
        continue; // damaged into another document: only the refusal is known
      else if (document.repeats)
        expect(fault, label).toMatchObject({ errors: [{ message: 'is named twice' }] });
      else expect(parseJson(text), label).toEqual(JSON.parse(text));
    }
  },
);

function faultOf(text: string): unknown {
  try {
    parseJson(text);
  } catch (error) {
    if (isRegError(error)) return { code: error.code, errors: error.errors };
    throw error;
  }
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const strings = [
  '"a"',
  '"\\u0061"',
  '"b"',
  '"\\""',
  '"\\\\"',
  '"{"',
  '"]"',
  '"é"',
  '"\\ud83d\\ude00"',
  '""',
  '","',
];
const others = ['0', '-1.5e3', 'true', 'null', '[]', '{}'];

/** @returns JSON text, and whether an object in it names a thing twice */
function randomDocument(random: () => number, depth: number): { text: string; repeats: boolean } {
  const pick = (all: readonly string[]) => all[Math.floor(random() * all.length)] ?? '';
  const isLeaf = depth > 4 || random() < 0.3;
  if (isLeaf) return { text: pick(random() < 0.5 ? strings : others), repeats: false };
  const children = Array.from({ length: Math.floor(random() * 4) }, () => randomDocument(random, depth + 1));
  const inside = children.some(({ repeats }) => repeats);
  const space = pick(['', ' ', '\n\t']);
  if (random() < 0.4) {
    return { text: `[${space}${children.map(({ text }) => text).join(`${space},`)}]`, repeats: inside };
  }
  const names = children.map(() => pick(strings));
  const members = children.map(({ text }, index) => `${names[index]}${space}:${space}${text}`);
  const distinct = new Set(names.map((name) => JSON.parse(name))).size;
  return { text: `{${members.join(`,${space}`)}${space}}`, repeats: inside || distinct < names.length };
}

function damaged(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length);
  const put = ['', '"', '\\', '{', '}', ',', ':', '\u0001'][Math.floor(random() * 8)] ?? '';
  return text.slice(0, at) + put + text.slice(at + 1);
}
