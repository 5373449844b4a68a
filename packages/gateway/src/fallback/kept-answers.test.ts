import { expect, test } from 'vitest';
import { createKeptAnswers, type KeptAnswer } from './kept-answers.ts';

const kilobyte = 1_024;

const answer = (text: string, more: Partial<KeptAnswer> = {}): KeptAnswer => ({
  headers: [],
  content: Buffer.alloc(kilobyte, text),
  keptAt: 0,
  ageAtFirstMs: 0,
  varies: [],
  ...more,
});

test('bounded in bytes: the least used go first, also where one key is put again and again', () => {
  const kept = createKeptAnswers(10 * kilobyte);
  for (let round = 0; round < 100; round++) kept.keep('same', answer('x'));
  const one = kept.bytes;
  expect(one).toBeGreaterThan(kilobyte);
  expect(one).toBeLessThan(2 * kilobyte);
  for (let index = 0; index < 100; index++) {
    kept.keep(`other ${index}`, answer('y'));
    expect(kept.find('same', [], 1_000, 0)).toBeDefined(); // used, so it stays
    expect(kept.bytes).toBeLessThanOrEqual(10 * kilobyte);
  }
  expect(kept.find('other 0', [], 1_000, 0)).toBe(undefined);
  expect(kept.find('other 99', [], 1_000, 0)).toBeDefined();
});

test('one that is larger than all room is not kept, and takes nothing along that fits', () => {
  const kept = createKeptAnswers(100);
  kept.keep('large', answer('x'));
  expect([kept.bytes, kept.find('large', [], 1_000, 0)]).toEqual([0, undefined]);
});

test('of one key so many variants, the newest of each', () => {
  const kept = createKeptAnswers(1_000 * kilobyte);
  const of = (language: string) => ({ varies: [['accept-language', language]] as const });
  for (let index = 0; index < 20; index++) kept.keep('key', answer('x', of(String(index))));
  kept.keep('key', answer('z', of('19')));
  const found = (language: string) => kept.find('key', ['Accept-Language', language], 1_000, 0)?.answer;
  expect(found('19')?.content.toString('utf8', 0, 1)).toBe('z');
  expect([found('12'), found('11')].map((one) => one !== undefined)).toEqual([true, false]);
});
