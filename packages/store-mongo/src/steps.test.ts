// Story: since MongoDB 8.0 the documents of one `insert` have one moment. Each became a step of its own, all of one
// revision: whoever followed took the first and skipped the others.
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { createSteps } from './steps.ts';
import type { StreamEvent } from './stream-event.ts';

const { BSON, Long } = mongo;
const whole = { isEmpty: false, isFull: false };
const full = { isEmpty: false, isFull: true };
const nothing = { isEmpty: true, isFull: false };

const event = (_id: string, low: number, more: Partial<StreamEvent> = {}): StreamEvent => ({
  operationType: 'insert',
  clusterTime: { high: 1_795_864_367, low },
  ns: { coll: 'services' },
  documentKey: { _id },
  fullDocument: { _id, reg: { at: low, by: _id } },
  ...more,
});
const transaction = (more: Partial<StreamEvent> = {}) => ({
  lsid: { id: new BSON.UUID() },
  txnNumber: Long.fromNumber(1),
  ...more,
});

function open() {
  const steps: string[][][] = [];
  let late = 0;
  const revisions: number[] = [];
  const { take, endBatch } = createSteps(
    ({ revision, parts }) => {
      revisions.push(revision);
      steps.push(parts.map(({ events }) => events.map((one) => ('id' in one ? String(one.id) : ''))));
    },
    () => {
      late += 1;
    },
  );
  return { take, endBatch, steps, revisions, late: () => late };
}

test('what happened at one moment is one step, and each of it a part', () => {
  const { take, endBatch, steps, revisions } = open();
  for (const one of [event('a', 1), event('b', 1), event('c', 2)]) take(one);
  endBatch(whole);
  expect(steps).toEqual([[['a'], ['b']], [['c']]]);
  expect(new Set(revisions).size).toBe(2);
});

test('a single one is told with its batch; only after a full batch the last moment waits for the next one', () => {
  const { take, endBatch, steps, late } = open();
  take(event('a', 1));
  endBatch(whole);
  expect(steps).toEqual([[['a']]]);
  take(event('b', 2));
  take(event('c', 3));
  endBatch(full);
  expect(steps).toHaveLength(2);
  take(event('d', 3));
  endBatch(whole);
  expect(steps[2]).toEqual([['c'], ['d']]);
  take(event('e', 4));
  endBatch(full);
  expect(steps).toHaveLength(3);
  endBatch(nothing);
  expect(steps[3]).toEqual([['e']]);
  expect(late()).toBe(0);
});

test('more of a moment that was told of is no step: everything is to be read anew', () => {
  const { take, endBatch, steps, late } = open();
  take(event('a', 1));
  endBatch(whole);
  take(event('b', 1));
  endBatch(whole);
  expect(steps).toEqual([[['a']]]);
  expect(late()).toBe(1);
});

test("a transaction is one part, told at its last document; a stranger's when nothing more is there", () => {
  const { take, endBatch, steps } = open();
  const [ours, theirs] = [transaction(), transaction()];
  take(event('a', 1, ours));
  take(event('b', 1, ours));
  take(event('w', 1, { ...ours, ns: { coll: 'writes' } }));
  expect(steps).toEqual([[['a', 'b']]]);
  take(event('c', 2, theirs));
  endBatch(whole);
  take(event('d', 2, theirs));
  endBatch(whole);
  expect(steps).toHaveLength(1);
  endBatch(nothing);
  expect(steps[1]).toEqual([['c', 'd']]);
});
