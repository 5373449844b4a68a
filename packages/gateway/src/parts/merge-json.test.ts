import { expect, test } from 'vitest';
import { mergeJson } from './merge-json.ts';

const merge = (...parts: (string | [as: string, text: string])[]) =>
  mergeJson(
    parts.map((part) =>
      typeof part === 'string' ? { as: undefined, text: part } : { as: part[0], text: part[1] },
    ),
  );

test('members in order, later keys winning; whole under a name', () => {
  expect(merge('{"a":1,"b":[1,{"x":2}]}', ' { "b" : "two" , "c":null } ')).toBe('{"a":1,"b":"two","c":null}');
  expect(merge('{"a":{"x":1}}', '{"a":{"y":2}}')).toBe('{"a":{"y":2}}'); // one level: nothing is mixed below
  expect(merge(['list', '[1, 2]\n'], ['text', '"x"'], '{"list":0}')).toBe('{"list":0,"text":"x"}');
  expect(merge()).toBe('{}');
  expect(merge('{}', ' {\n} ')).toBe('{}');
});

test('values go through as they were written', () => {
  const text = '{"id":9007199254740993,"price":1.10,"big":1e400,"text":"\\u00e4\\ud800"}';
  expect(merge(text)).toBe(text);
});

test('brackets, commas, colons and quotes within strings are text', () => {
  const text = '{"a,b:{":"}],[{\\"\\\\","c\\"":[":,}",{"]":"["}]}';
  expect(merge(text)).toBe(text);
});

test('a key spelt by escapes is the same key; duplicates: the last, as JSON.parse has it', () => {
  expect(merge('{"\\u0061":1}', '{"a":2,"a":3}')).toBe('{"a":3}');
});

test('__proto__ is a key like others, and reaches no prototype', () => {
  const text = '{"__proto__":{"polluted":true},"constructor":1}';
  expect(merge(text)).toBe(text);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test('the same as Object.assign would have it, for what both can hold', () => {
  const parts = [
    { a: [1, [2, { b: '"' }]], 'x\\': '\\', e: '' },
    { e: { f: [] }, '': 0, deep: { a: { b: ['}'] } } },
    { a: true },
  ];
  const merged = JSON.parse(merge(...parts.map((part) => JSON.stringify(part, undefined, 2))));
  expect(merged).toEqual(Object.assign({}, ...parts));
});
