import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { idText } from './instance-document.ts';
import { createInvalidDocuments } from './invalid-documents.ts';

test('all are counted, a thousand are kept, and one that was mended makes room', () => {
  const invalid = createInvalidDocuments();
  for (let index = 0; index < 1_500; index++)
    invalid.report(`d${index}`, { path: 'url', message: 'is wrong' });
  invalid.report('d1', { path: 'url', message: 'is wrong still' });
  expect([invalid.size, invalid.list().length]).toEqual([1_500, 1_000]);
  expect(invalid.list()[1]).toEqual({ id: 'd1', path: 'url', message: 'is wrong still' });
  invalid.forget('d0');
  invalid.forget('d1400');
  invalid.report('late', { path: '', message: 'x' });
  expect([invalid.size, invalid.list().length]).toEqual([1_499, 1_000]);
  invalid.clear();
  expect([invalid.size, invalid.list()]).toEqual([0, []]);
});

test('what a stranger wrote is one line of bounded length', () => {
  const invalid = createInvalidDocuments();
  invalid.report('x'.repeat(10_000), { path: 'metadata.\u001b[31m\n', message: 'y'.repeat(10_000) });
  const [shown] = invalid.list();
  expect([shown?.id.length, shown?.message.length]).toEqual([201, 201]);
  expect(shown?.path).toBe('metadata.\u{fffd}[31m\u{fffd}');
});

test('news is who is reported first or otherwise; the same once more, or forgotten in between, is none', () => {
  const invalid = createInvalidDocuments();
  const report = (id: string, message: string) => invalid.report(id, { path: 'url', message });
  const news = () => invalid.takeNews().map(({ id, message }) => `${id} ${message}`);
  report('a', 'is wrong');
  report('b', 'is wrong');
  expect(news()).toEqual(['a is wrong', 'b is wrong']);
  invalid.forget('a');
  report('a', 'is wrong');
  report('b', 'is taken');
  expect(news()).toEqual(['b is taken']);
  invalid.clear();
  report('b', 'is taken');
  expect(news()).toEqual([]);
  report('a', 'is wrong');
  expect(news()).toEqual(['a is wrong']); // it had been mended
});

test('no two _ids have one text, whatever they are, and none has a long one', () => {
  const ids = [
    'a',
    1,
    1n,
    true,
    null,
    new Date(0),
    { a: 1 },
    { a: 2 },
    new mongo.ObjectId('0123456789abcdef01234567'),
    new mongo.Binary(new Uint8Array([1])),
    new mongo.Binary(new Uint8Array([2])),
    'x'.repeat(2_000),
    `${'x'.repeat(1_999)}y`,
  ];
  const texts = ids.map(idText);
  expect(new Set(texts).size).toBe(ids.length);
  expect(Math.max(...texts.map(({ length }) => length))).toBeLessThan(600);
});
