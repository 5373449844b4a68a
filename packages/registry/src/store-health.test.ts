import { expect, test } from 'vitest';
import { createStoreFaults, invalidIn, storeReasons } from './store-health.ts';

const invalid = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `d${index}`, path: 'url', message: 'is no path' }));

test('a fault has the moment of the first of its row, and is over once the same works', () => {
  let now = 1_000;
  const faults = createStoreFaults(() => now);
  faults.failed('write', 'disk full');
  now = 2_000;
  faults.failed('write', 'disk full');
  expect(storeReasons(undefined, faults.list())).toEqual([
    { code: 'store_unavailable', text: 'disk full', since: 1_000 },
  ]);
  faults.worked('write');
  expect(storeReasons(undefined, faults.list())).toEqual([]);
});

test('a fault from before the store came back is over, one after it is not', () => {
  const fault = { text: 'no primary', since: 1_000, lastAt: 2_000 };
  expect(storeReasons({ backSince: 3_000, invalid: [] }, [fault])).toEqual([]);
  expect(storeReasons({ backSince: 1_500, invalid: [] }, [fault])).toMatchObject([{ text: 'no primary' }]);
  expect(storeReasons({ awaySince: 1_200, invalid: [] }, [])).toMatchObject([
    { code: 'store_unavailable', since: 1_200 },
  ]);
});

test('what means nothing is counted whole and listed up to a hundred', () => {
  expect(invalidIn({ invalid: [] })).toEqual({});
  expect(invalidIn({ invalid: invalid(101) })).toMatchObject({
    invalid: { count: 101, documents: { length: 100 } },
  });
  expect(storeReasons({ invalid: invalid(1) }, [])).toMatchObject([
    { code: 'invalid_documents', text: expect.stringMatching(/^1 document is left alone/) },
  ]);
});
