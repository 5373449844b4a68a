import { describe, expect, test } from 'vitest';
import { mayRetry, type RetryQuestion } from './may-retry.ts';

const question: RetryQuestion = {
  reached: 'sent',
  timedOut: false,
  method: 'GET',
  replayable: true,
  attempts: 1,
  clientGone: false,
  deadlineAt: 1_000,
  now: 0,
};

describe('mayRetry', () => {
  test.each<[boolean, string, Partial<RetryQuestion>]>([
    [true, 'never connected: any request', { reached: 'nothing', method: 'POST', replayable: false }],
    [true, 'never connected in time: any request', { reached: 'nothing', timedOut: true, method: 'POST' }],
    [true, 'sent, no byte: GET', { method: 'GET' }],
    [true, 'sent, no byte: HEAD', { method: 'HEAD' }],
    [true, 'sent, no byte: OPTIONS', { method: 'OPTIONS' }],
    [true, 'sent, no byte: PUT without a body', { method: 'PUT' }],
    [true, 'sent, no byte: DELETE', { method: 'DELETE' }],
    [false, 'sent, no byte: POST may act twice', { method: 'POST' }],
    [false, 'sent, no byte: PATCH may act twice', { method: 'PATCH' }],
    [false, 'sent, no byte: TRACE is not forwarded', { method: 'TRACE' }],
    [false, 'sent, no byte: a method that we do not know', { method: 'PURGE' }],
    [false, 'sent, no byte: its body is used up', { method: 'PUT', replayable: false }],
    [false, 'sent, no answer in time: it works on it', { timedOut: true }],
    [false, 'the answer had begun', { reached: 'answering' }],
    [false, 'the client left', { reached: 'nothing', clientGone: true }],
    [false, 'three attempts are enough', { reached: 'nothing', attempts: 3 }],
    [true, 'two are not', { reached: 'nothing', attempts: 2 }],
    [false, 'its deadline is over', { reached: 'nothing', now: 1_000 }],
  ])('%s: %s', (verdict, _why, difference) => {
    expect(mayRetry({ ...question, ...difference })).toBe(verdict);
  });
});
