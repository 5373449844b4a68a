import { expect, test } from 'vitest';
import { createSystemClock } from './clock.ts';
import { createFakeClock } from './testing/fake-clock.ts';

test("the system's clock says whole milliseconds since 1970 and never goes back", () => {
  const clock = createSystemClock();
  const early = Date.now();
  let last = clock.now();
  expect(Math.abs(last - early)).toBeLessThan(60_000);
  for (let times = 0; times < 10_000; times++) {
    const now = clock.now();
    expect(now >= last && Number.isInteger(now)).toBe(true);
    last = now;
  }
});

test('its timers run, and run no more once they are called off', async () => {
  const clock = createSystemClock();
  const never = clock.after(0, () => {
    throw new Error('it was called off');
  });
  never();
  await new Promise<void>((resolve) => clock.after(1, resolve));
  await new Promise<void>((resolve) => {
    const stop = clock.every(1, () => {
      stop();
      resolve();
    });
  });
});

test('the fake clock runs timers in the order of their times, each at its own', async () => {
  const clock = createFakeClock(0);
  const ran: [string, number][] = [];
  clock.after(30, () => void ran.push(['after', clock.now()]));
  const stop = clock.every(20, () => void ran.push(['every', clock.now()]));
  clock.after(10, () => void clock.after(5, () => void ran.push(['nested', clock.now()])));
  await clock.advance(45);
  stop();
  await clock.advance(100);
  expect(ran).toEqual([
    ['nested', 15],
    ['every', 20],
    ['after', 30],
    ['every', 40],
  ]);
  expect(clock.now()).toBe(145);
});
