import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createOwnWrites } from './own-writes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const set = { revision: 7, at: 0, changes: [] };

function start() {
  let catchUp = () => {};
  let failToCatchUp: (cause: Error) => void = () => {};
  const barrier = new Promise<void>((resolve, reject) => {
    catchUp = resolve;
    failToCatchUp = reject;
  });
  const over: string[] = [];
  const ownWrites = createOwnWrites({ caughtUp: () => barrier, onOver: (write) => void over.push(write) });
  return { ...ownWrites, over, catchUp, failToCatchUp };
}

test('a write ends with what is seen of it, once', async () => {
  const { begin, seen, isWanted, lost, over, close } = start();
  const outcome = begin('a');
  expect(isWanted('a')).toBe(true);
  seen('a', set);
  seen('a', { ...set, revision: 8 });
  lost('a');
  expect(await outcome).toBe(set);
  expect(isWanted('a')).toBe(false);
  expect(over).toEqual(['a']);
  close();
});

test('what seems lost may still be seen while the changes are caught up with', async () => {
  const { begin, seen, lost, catchUp, close } = start();
  const [written, raced] = [begin('written'), begin('raced')];
  lost('written');
  lost('raced');
  seen('written', set);
  catchUp();
  expect(await written).toBe(set);
  expect(await raced).toBe('raced');
  close();
});

test('where nobody can say what became of it, the answer says so', async () => {
  const { begin, lost, failToCatchUp, fail, close } = start();
  const [lostOne, failed] = [begin('lost'), begin('failed')];
  lost('lost');
  failToCatchUp(new Error('no primary'));
  fail('failed', new Error('not master'));
  await expect(lostOne).rejects.toMatchObject({ code: 'store_unavailable', message: 'no primary' });
  await expect(failed).rejects.toMatchObject({ code: 'store_unavailable', message: 'not master' });
  close();
});

test('each is waited for as long as any other, and no longer', async () => {
  const { begin, seen, list, close } = start();
  const first = begin('first').catch((error: Error) => error.message);
  vi.advanceTimersByTime(6_000);
  const second = begin('second');
  vi.advanceTimersByTime(6_250);
  expect(await first).toBe('the database does not say whether it was written');
  expect(list()).toEqual(['second']);
  seen('second', set);
  expect(await second).toBe(set);
  close();
});

test('whoever still waits when it is closed is told, and no timer stays', async () => {
  const { begin, close, over } = start();
  const outcomes = ['a', 'b'].map((write) => begin(write).catch((error: Error) => error.message));
  close();
  expect(await Promise.all(outcomes)).toEqual(['the store is closed', 'the store is closed']);
  expect(over).toEqual(['a', 'b']);
  expect(vi.getTimerCount()).toBe(0);
});
