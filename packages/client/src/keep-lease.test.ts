import { type ProblemCode, regError } from '@reg/schema/problem';
import { expect, test } from 'vitest';
import { nextStep, type Step } from './keep-lease.ts';

const holding = { leaseMs: 9_000, leaseEndsAt: 50_000, failures: 1 };
const inTime = 49_999;
const late = 50_000;

test('renewed: again at a third of the lease, at most a fifth of that earlier', () => {
  expect(nextStep('renew', undefined, holding, inTime, 1)).toEqual({ do: 'renew', inMs: 3_000 });
  expect(nextStep('register', undefined, holding, late, 0)).toEqual({ do: 'renew', inMs: 2_400 });
});

test('a lease of a day is renewed every 10 s', () => {
  const day = { ...holding, leaseMs: 86_400_000 };
  expect(nextStep('renew', undefined, day, inTime, 1)).toEqual({ do: 'renew', inMs: 10_000 });
});

test('a registry that was away long is asked again within a third of the lease, at the latest after 5 s', () => {
  const awayFor = (leaseMs: number) =>
    nextStep('register', regError('store_unavailable', ''), { ...holding, leaseMs, failures: 20 }, late, 1);
  expect(awayFor(3_000)).toEqual({ do: 'register', inMs: 1_000 });
  expect(awayFor(60_000)).toEqual({ do: 'register', inMs: 5_000 });
});

test.each<['renew' | 'register', ProblemCode, number, Step]>([
  ['renew', 'registry_unavailable', inTime, { do: 'renew', inMs: 500 }],
  ['renew', 'registry_unavailable', late, { do: 'register', inMs: 100 }],
  ['renew', 'internal', inTime, { do: 'renew', inMs: 500 }],
  ['renew', 'host_refused', inTime, { do: 'renew', inMs: 500 }],
  ['renew', 'instance_not_found', inTime, { do: 'register', inMs: 0 }],
  ['renew', 'instance_not_found', late, { do: 'register', inMs: 0 }],
  ['renew', 'generation_superseded', inTime, { do: 'stop' }],
  ['register', 'generation_superseded', late, { do: 'stop' }],
  ['register', 'registry_unavailable', inTime, { do: 'register', inMs: 100 }],
  ['register', 'store_unavailable', late, { do: 'register', inMs: 100 }],
  ['register', 'endpoint_taken', inTime, { do: 'register', inMs: 100 }],
  ['register', 'internal', inTime, { do: 'register', inMs: 100 }],
  ['renew', 'token_invalid', inTime, { do: 'renew', inMs: 500 }],
  ['renew', 'token_invalid', late, { do: 'register', inMs: 100 }],
  ['register', 'token_invalid', late, { do: 'stop' }],
  ['register', 'not_permitted', late, { do: 'stop' }],
  ['register', 'instance_foreign', inTime, { do: 'register', inMs: 100 }],
  ['register', 'registration_conflict', inTime, { do: 'stop' }],
  ['register', 'invalid_request', inTime, { do: 'stop' }],
])('%s answered %s at %i', (last, code, now, step) => {
  expect(nextStep(last, regError(code, ''), holding, now, 1)).toEqual(step);
});

test('where the next token may be another, one that is refused is not the last word; a 403 is', () => {
  const step = (code: ProblemCode) =>
    nextStep('register', regError(code, ''), { ...holding, tokenChanges: true }, late, 1);
  expect(step('token_invalid')).toEqual({ do: 'register', inMs: 100 });
  expect(step('token_missing')).toEqual({ do: 'register', inMs: 100 });
  expect(step('not_permitted')).toEqual({ do: 'stop' });
});

test('where the next token may be another, a renewal that is refused for its token registers with the next', () => {
  const changing = { ...holding, tokenChanges: true };
  const step = nextStep('renew', regError('token_invalid', ''), changing, inTime, 1);
  expect(step).toEqual({ do: 'register', inMs: 0 });
});
