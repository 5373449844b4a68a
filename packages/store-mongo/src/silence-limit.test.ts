import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSilenceLimit } from './silence-limit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new Promise<never>(() => {});

test('what is read comes through, and so does what goes wrong', async () => {
  const limit = createSilenceLimit('silent');
  expect(await limit.within(1_000, Promise.resolve('one'))).toBe('one');
  await expect(limit.within(1_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  limit.end();
});

test('each read has the limit to itself, and ends with it', async () => {
  const limit = createSilenceLimit('silent');
  for (let read = 0; read < 5; read++) {
    const result = limit.within(1_000, new Promise((resolve) => setTimeout(resolve, 1_000, read)));
    vi.advanceTimersByTime(1_000);
    expect(await result).toBe(read);
  }
  const result = limit.within(1_000, never).catch((error: Error) => error.message);
  vi.advanceTimersByTime(1_250);
  expect(await result).toBe('silent');
  limit.end();
});

test('nothing of it stays when it is ended', () => {
  createSilenceLimit('silent').end();
  expect(vi.getTimerCount()).toBe(0);
});

test('once it is ended nobody waits: neither who does already nor who comes then', async () => {
  const limit = createSilenceLimit('silent');
  const before = limit.within(1_000, never);
  limit.end();
  await expect(before).rejects.toThrow('silent');
  await expect(limit.within(1_000, never)).rejects.toThrow('silent');
});
