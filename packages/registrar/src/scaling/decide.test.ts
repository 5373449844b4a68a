import { policyDefaults } from '@reg/schema';
import { expect, test } from 'vitest';
import type { Scaling } from '../policies/effective-policy.ts';
import { beginScaling, type Counted, decideScaling, type ScalingMemory } from './decide.ts';
import { judgeLoad, type Pressure, sumLoads } from './judge-load.ts';

const scaling: Scaling = { ...policyDefaults.scaling, min: 1, max: 3, drainMs: 0 };
const load = (pressure: Pressure) => ({ pressure, because: `load is ${pressure}` });

function instances(...states: Counted['state'][]): Counted[] {
  return states.map((state, index) => ({
    instanceId: `i${index}`,
    instance: `${index}`,
    state,
    stoppable: true,
    since: index,
  }));
}

/** The same situation at several moments. @returns what was done, with its moment in seconds */
function over(
  seconds: number,
  question: { pressure?: Pressure; states?: Counted['state'][]; scaling?: Scaling; wanted?: number },
  before: ScalingMemory = beginScaling(0),
): string[] {
  const done: string[] = [];
  let memory = before;
  for (let now = 0; now <= seconds * 1_000; now += 1_000) {
    const asked = {
      scaling: question.scaling ?? scaling,
      wanted: question.wanted,
      instances: instances(...(question.states ?? ['passing'])),
      load: load(question.pressure ?? 'normal'),
    };
    const decided = decideScaling(asked, memory, now);
    memory = decided.memory;
    if (decided.step)
      done.push(
        `${decided.step.do} ${'count' in decided.step ? decided.step.count : decided.step.instanceId} at ${now / 1_000}`,
      );
  }
  return done;
}

test('missing ones are asked for at once, and again only when they were not there in time', () => {
  expect(over(60, { states: [], scaling: { ...scaling, min: 2 } })).toEqual(['start 2 at 0']);
  expect(over(60, { states: [], scaling: { ...scaling, min: 2, pendingMs: 30_000 } })).toEqual([
    'start 2 at 0',
    'start 2 at 30',
    'start 2 at 60',
  ]);
});

test('one that fails is replaced, but all together are never more than max', () => {
  expect(over(5, { states: ['failing'] })).toEqual(['start 1 at 0']);
  expect(over(5, { states: ['failing', 'failing', 'failing'] })).toEqual([]);
});

test('high for its time: one more, and the next only when that one came and the pause is over', () => {
  expect(over(9, { pressure: 'high' })).toEqual([]);
  expect(over(100, { pressure: 'high' })).toEqual(['start 1 at 10']);
  const came = { ...beginScaling(0), pressure: 'high', lastUpAt: 0, running: 2 } as const;
  expect(over(100, { pressure: 'high', states: ['passing', 'passing'] }, came)).toEqual(['start 1 at 30']);
  expect(over(100, { pressure: 'high', states: ['passing', 'starting'] })).toEqual([]);
  expect(over(100, { pressure: 'high', states: ['passing', 'passing', 'passing'] })).toEqual([]);
});

test('low for its time: the newest goes, one at a time, never below min', () => {
  expect(over(59, { pressure: 'low', states: ['passing', 'passing', 'passing'] })).toEqual([]);
  expect(over(100, { pressure: 'low', states: ['passing', 'passing', 'passing'] })).toEqual([
    'stop i2 at 60',
  ]);
  expect(over(200, { pressure: 'low', states: ['passing', 'passing', 'stopping'] })).toEqual([]);
  expect(over(200, { pressure: 'low', states: ['passing'] })).toEqual([]);
  expect(over(200, { pressure: 'low', states: ['passing', 'failing'] })).toEqual([]);
});

test('load that nobody knows changes nothing', () => {
  expect(over(200, { pressure: 'unknown', states: ['passing', 'passing'] })).toEqual([]);
});

test('what is said by hand goes before min, max and load', () => {
  expect(over(3, { wanted: 5 })).toEqual(['start 4 at 0']);
  expect(over(0, { wanted: 0, pressure: 'high' })).toEqual(['stop i0 at 0']);
  expect(over(0, { wanted: 1, states: ['passing', 'passing'] })).toEqual(['stop i1 at 0']);
});

// Story: a program that ended as soon as it was started was started again each second.
test('what is started in vain is started later and later', () => {
  let memory = beginScaling(0);
  const startedAt: number[] = [];
  for (let now = 0; now < 60_000; now += 500) {
    const decided = decideScaling(
      { scaling, wanted: undefined, instances: [], load: load('unknown') },
      memory,
      now,
    );
    memory = { ...decided.memory, pending: [] }; // it ended at once
    if (decided.step) startedAt.push(now);
  }
  expect(startedAt).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000]);
});

test('who is there answers the request that named it; another who came, one without a name', () => {
  const pending = [{ askedAt: 0, instance: '7' }, { askedAt: 0 }, { askedAt: 0 }];
  const memory = { ...beginScaling(0), pending };
  const asked = { scaling: { ...scaling, min: 0 }, wanted: undefined, load: load('normal') };
  const seven: Counted = { instanceId: 'a', instance: '7', state: 'starting', stoppable: true, since: 0 };
  expect(decideScaling({ ...asked, instances: [seven] }, memory, 1).memory.pending).toEqual(pending.slice(1));
  const other = { ...seven, instance: '8' };
  expect(decideScaling({ ...asked, instances: [other] }, memory, 1).memory.pending).toEqual(
    pending.slice(0, 2),
  );
});

test.each([
  [{ inFlight: 21, p99Ms: 5, refusalsPerSecond: 0 }, 'high'],
  [{ inFlight: 20, p99Ms: 5, refusalsPerSecond: 0 }, 'normal'],
  [{ inFlight: 9, p99Ms: 5, refusalsPerSecond: 0 }, 'low'],
  [{ inFlight: 9, p99Ms: 60, refusalsPerSecond: 0 }, 'normal'],
  [{ inFlight: 9, p99Ms: 101, refusalsPerSecond: 0 }, 'high'],
  [{ p99Ms: 5 }, 'unknown'],
  [undefined, 'unknown'],
  [{ inFlight: 0, p99Ms: 0, told: { level: 'high', until: 2, by: 'ann' } }, 'high'],
  [{ inFlight: 0, p99Ms: 0, told: { level: 'high', until: 1, by: 'ann' } }, 'low'],
  [{ inFlight: 99, p99Ms: 0, told: { level: 'normal', until: 2, by: 'ann' } }, 'high'],
] as const)('%j of two instances is %s', (measured, expected) => {
  expect(judgeLoad(measured, { inFlight: 10, p99Ms: 100 }, 2, 1).pressure).toBe(expected);
});

test('where no bound is set, only what is told counts', () => {
  expect(judgeLoad(undefined, undefined, 1, 1).pressure).toBe('low');
  expect(judgeLoad({ told: { level: 'high', until: 2, by: 'ann' } }, undefined, 1, 1).pressure).toBe('high');
});

test('of several registries requests add up, the slowest counts, and any that was told', () => {
  expect(sumLoads([undefined, undefined])).toBeUndefined();
  expect(
    sumLoads([
      { inFlight: 2, p99Ms: 7 },
      undefined,
      { inFlight: 3, p99Ms: 5, told: { level: 'high', until: 9, by: 'ann' } },
    ]),
  ).toMatchObject({ inFlight: 5, p99Ms: 7, told: { level: 'high' } });
});
