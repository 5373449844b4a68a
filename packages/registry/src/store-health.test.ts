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

test('a store that says how it fares is believed, whatever the last write met', () => {
  const before = { text: 'no primary', since: 1_000 };
  const well = { faults: [], invalid: [], invalidCount: 0 };
  expect(storeReasons(well, [before])).toEqual([]);
  expect(storeReasons({ ...well, faults: [{ text: 'away', since: 1_200 }] }, [before])).toEqual([
    { code: 'store_unavailable', text: 'away', since: 1_200 },
  ]);
});

test('what means nothing is counted whole and listed up to a hundred', () => {
  const faults: [] = [];
  expect(invalidIn({ faults, invalid: [], invalidCount: 0 })).toEqual({});
  expect(invalidIn({ faults, invalid: invalid(101), invalidCount: 2_000 })).toMatchObject({
    invalid: { count: 2_000, documents: { length: 100 } },
  });
  expect(storeReasons({ faults, invalid: invalid(1), invalidCount: 1 }, [])).toMatchObject([
    { code: 'invalid_documents', text: expect.stringMatching(/^1 document is left alone/) },
  ]);
});
