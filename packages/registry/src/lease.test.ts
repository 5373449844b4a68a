import { expect, test } from 'vitest';
import { buryLease, checkRun, grantRun, type Lease, leaseOf, renewedUntil } from './lease.ts';

const held: Lease = {
  runId: 'second',
  generation: 20,
  supersededRuns: ['first'],
  leaseMs: 10_000,
  expiresAt: 50_000,
};
const goodbye = { at: 60_000, ended: true, expired: false };
const expired = buryLease(held, { at: 60_000, ended: false, expired: true });
const ended = buryLease(held, goodbye);
const anonymous: Lease = { ...held, runId: undefined };

test.each([
  ['a first run is granted the next revision', undefined, { runId: 'a' }, 30],
  ['the same run keeps its generation', held, { runId: 'second' }, 20],
  ['the same run keeps it when its lease expired meanwhile', expired, { runId: 'second' }, 20],
  ['the same run keeps it whatever generation it sends', held, { runId: 'second', generation: 7 }, 20],
  ['another run takes over', held, { runId: 'third' }, 30],
  ['an anonymous run takes over from a named one', held, {}, 30],
  ['anonymous over anonymous is the same run', anonymous, {}, 20],
  ['an anonymous run that names the generation held is that run', held, { generation: 20 }, 20],
  [
    'a run that we forgot goes on with the generation it holds',
    undefined,
    { runId: 'a', generation: 25 },
    25,
  ],
  ['a run with a higher generation than the last goes on with it', held, { runId: 'a', generation: 25 }, 25],
  ['at the next revision it still goes on', held, { runId: 'a', generation: 30 }, 30],
  ['above it (a restored store) it is granted a new one', held, { runId: 'a', generation: 31 }, 30],
  ['an anonymous run that ended begins anew', buryLease(anonymous, goodbye), {}, 30],
])('%s', (_, last, run, generation) => {
  expect(grantRun(last, run, 30).generation).toBe(generation);
});

test.each([
  ['a superseded run', held, { runId: 'first' }],
  ['a superseded run, whatever generation it sends', held, { runId: 'first', generation: 29 }],
  ['an unknown run with the generation of another', held, { runId: 'a', generation: 20 }],
  ['an unknown run with an older generation', held, { runId: 'a', generation: 19 }],
  ['an anonymous run with an older generation', anonymous, { generation: 19 }],
  ['a run that ended: a late duplicate of its register', ended, { runId: 'second' }],
  ['an anonymous run that ended, naming its generation', buryLease(anonymous, goodbye), { generation: 20 }],
])('refused as superseded: %s', (_, last, run) => {
  expect(() => grantRun(last, run, 30)).toThrow(expect.objectContaining({ code: 'generation_superseded' }));
});

test('a run named by its generation alone keeps its runId', () => {
  expect(grantRun(held, { generation: 20 }, 30).runId).toBe('second');
});

test('a new run leaves the last one among the superseded; an anonymous one leaves no name', () => {
  const instance = {
    instanceId: 'one',
    generation: 30,
    runId: 'third',
    state: 'up' as const,
    endpoints: [],
    lease: { ttlMs: 5_000 },
    registeredAt: 0,
  };
  expect(leaseOf(held, instance, 1_000)).toEqual({
    runId: 'third',
    generation: 30,
    supersededRuns: ['first', 'second'],
    leaseMs: 5_000,
    expiresAt: 6_000,
  });
  expect(leaseOf(anonymous, instance, 1_000).supersededRuns).toEqual(['first']);
  expect(leaseOf(held, { ...instance, generation: 20 }, 1_000).supersededRuns).toEqual(['first']);
  expect(leaseOf(undefined, { ...instance, lease: 'none' }, 1_000)).toMatchObject({
    leaseMs: null,
    expiresAt: null,
  });
});

test('a goodbye ends the run; expiry and force do not', () => {
  expect(ended.supersededRuns).toEqual(['first', 'second']);
  expect(expired.supersededRuns).toEqual(['first']);
});

test('a renewal counts from now, also a late one; without a lease there is nothing to move', () => {
  expect(renewedUntil(held, 55_000)).toBe(65_000);
  expect(renewedUntil({ ...held, leaseMs: null, expiresAt: null }, 55_000)).toBeNull();
});

test.each([
  ['its generation', held, { generation: 20 }, undefined],
  ['its runId', held, { runId: 'second' }, undefined],
  ['force', held, { force: true }, undefined],
  ['an older generation', held, { generation: 19 }, 'generation_superseded'],
  ['a superseded runId', held, { runId: 'first' }, 'generation_superseded'],
  ['a generation from a store that was lost', held, { generation: 21 }, 'instance_not_found'],
  ['an unknown runId', held, { runId: 'x' }, 'instance_not_found'],
  ['anything, where nothing is known', undefined, { force: true }, 'instance_not_found'],
  ['an older generation than the last, gone', expired, { generation: 19 }, 'generation_superseded'],
  ['the run that ended, again', ended, { runId: 'second' }, undefined],
])('a word of a run that names %s', (_, lease, run, code) => {
  const check = () => checkRun(lease, run, 'instance one of tickets');
  if (code === undefined) check();
  else expect(check).toThrow(expect.objectContaining({ code }));
});
