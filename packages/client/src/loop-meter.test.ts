import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createLoopReader, startLoopMeter } from './loop-meter.ts';
import { monotonicMs } from './monotonic.ts';

function started() {
  const meter = startLoopMeter();
  onTestFinished(meter.stop);
  return meter;
}

function blockForMs(ms: number): void {
  const end = monotonicMs() + ms;
  while (monotonicMs() < end);
}

test('while the loop stands still its delay grows, before it has turned again', async () => {
  const reader = createLoopReader(started().cells);
  blockForMs(600);
  const first = reader.load();
  expect(reader.sinceTurnMs()).toBeGreaterThanOrEqual(600);
  expect(first.loopDelayMs).toBeGreaterThanOrEqual(350);
  blockForMs(100);
  expect(reader.load().loopDelayMs).toBeGreaterThan(first.loopDelayMs);
});

test('a delay is told once the loop turned, to each reader once', async () => {
  const { cells } = started();
  const [one, other] = [createLoopReader(cells), createLoopReader(cells)];
  blockForMs(600);
  await eventually(() => one.sinceTurnMs() < 250);
  expect(one.load().loopDelayMs).toBeGreaterThanOrEqual(350);
  expect(other.load().loopDelayMs).toBeGreaterThanOrEqual(350);
  await eventually(
    () => one.load(),
    ({ loopDelayMs }) => loopDelayMs < 350,
  );
});

test('a loop that waits is hardly used, one that works is', async () => {
  const reader = createLoopReader(started().cells);
  await eventually(
    () => reader.load(),
    ({ loopUtilization }) => loopUtilization > 0 && loopUtilization < 0.5,
  );
  blockForMs(1_000);
  expect(reader.load().loopUtilization).toBeGreaterThan(0.5);
});

test('its sums may pass 32 bits', () => {
  const cells = new Int32Array(new SharedArrayBuffer(4 * 68));
  const write = (turns: number, activeMs: number, idleMs: number) => {
    const turnedAt = monotonicMs() + 3_600_000; // no pause of this test is a stall
    for (const [cell, value] of [turns, turnedAt, activeMs, idleMs].entries())
      Atomics.store(cells, cell, value);
  };
  write(1, 2 ** 31 - 100, 2 ** 32 - 50);
  const reader = createLoopReader(cells);
  write(2, 2 ** 31 + 200, 2 ** 32 + 50);
  expect(reader.load()).toEqual({ loopUtilization: 0.75, loopDelayMs: 0 });
});
