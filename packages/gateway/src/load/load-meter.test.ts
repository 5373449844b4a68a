import { expect, test } from 'vitest';
import { boundMs, bucketCount, bucketOf, quantileMs } from './histogram.ts';
import { LoadMeter, secondsKept } from './load-meter.ts';

test('what a bucket says is never below what was counted in it, and at most a fifth above', () => {
  for (let ms = 1; ms < 60_000; ms *= 1.013) {
    const bound = boundMs(bucketOf(ms));
    expect(bound).toBeGreaterThanOrEqual(ms);
    expect(bound).toBeLessThan(ms * 1.2);
  }
  for (const odd of [0, -1, Number.NaN]) expect(bucketOf(odd)).toBe(0);
  expect(bucketOf(Number.POSITIVE_INFINITY)).toBe(bucketCount - 1);
});

test('99 of 100 took no longer than the p99', () => {
  const counts = new Uint32Array(bucketCount);
  expect(quantileMs(counts, 0.99)).toBe(0);
  counts[bucketOf(10)] = 990;
  counts[bucketOf(1_000)] = 10;
  expect(quantileMs(counts, 0.99)).toBeCloseTo(boundMs(bucketOf(10)), 1);
  counts[bucketOf(1_000)] = 11;
  expect(quantileMs(counts, 0.99)).toBeCloseTo(boundMs(bucketOf(1_000)), 1);
});

test('rates are of the last whole seconds, and what is older is forgotten', () => {
  const meter = new LoadMeter();
  expect(meter.isIdle).toBe(true);
  for (let second = 1; second < secondsKept; second++) {
    for (let count = 0; count < 10; count++) {
      meter.began();
      if (count === 0) meter.refused();
      else meter.answered(20);
      meter.ended();
    }
    meter.tick();
  }
  expect(meter.figures()).toEqual({
    inFlight: 0,
    p99Ms: expect.closeTo(boundMs(bucketOf(20)), 1),
    refusalsPerSecond: 1,
    requestsPerSecond: 10,
  });
  for (let second = 1; second < secondsKept; second++) meter.tick();
  expect(meter.isIdle).toBe(true);
  expect(meter.figures()).toEqual({ inFlight: 0, p99Ms: 0, refusalsPerSecond: 0, requestsPerSecond: 0 });
});

test('what is under way counts for as long as it is, however old it is', () => {
  const meter = new LoadMeter();
  meter.began();
  for (let second = 0; second < 3 * secondsKept; second++) meter.tick();
  expect(meter.figures().inFlight).toBe(1);
  expect(meter.isIdle).toBe(false);
  meter.ended();
  expect(meter.isIdle).toBe(true);
});
