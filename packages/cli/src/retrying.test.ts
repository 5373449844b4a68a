import { regError } from '@reg/schema/problem';
import { expect, test } from 'vitest';
import { retrying } from './retrying.ts';

const away = () => regError('registry_unavailable', 'nobody there');

test('what may pass is asked again until it passes, and told once', async () => {
  const told: string[] = [];
  let tries = 0;
  const work = async () => {
    tries += 1;
    if (tries < 4) throw away();
    return 'done';
  };
  expect(await retrying(work, { retryMs: 30_000, tell: (line) => told.push(line) })).toBe('done');
  expect(tries).toBe(4);
  expect(told).toEqual(['nobody there; trying again for 30 s']);
});

test('what is refused is refused at once; without a time there is one try', async () => {
  let tries = 0;
  const failing = (error: Error) => async () => {
    tries += 1;
    throw error;
  };
  await expect(retrying(failing(regError('path_taken', 'no')), { retryMs: 30_000 })).rejects.toThrow('no');
  await expect(retrying(failing(away()), { retryMs: 0 })).rejects.toThrow('nobody there');
  expect(tries).toBe(2);
});

test('at its end it throws the last failure; a signal ends the waiting with its reason', async () => {
  const alwaysAway = async () => {
    throw away();
  };
  await expect(retrying(alwaysAway, { retryMs: 1 })).rejects.toThrow('nobody there');
  const controller = new AbortController();
  const waiting = retrying(alwaysAway, { retryMs: 600_000, signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});
