import { expect, test } from 'vitest';
import { createLoads } from './loads.ts';

const figures = { inFlight: 2, p99Ms: 10, refusalsPerSecond: 0, requestsPerSecond: 50 };

test('what gateways say adds up, the slowest says how slow it is, and what is old counts no more', () => {
  const loads = createLoads();
  loads.report('tickets', { gateway: 'a', ...figures }, '', 0);
  loads.report(
    'tickets',
    { gateway: 'b', ...figures, inFlight: 3, p99Ms: 40, refusalsPerSecond: 1.5 },
    '',
    4_000,
  );
  const both = { inFlight: 5, p99Ms: 40, refusalsPerSecond: 1.5, requestsPerSecond: 100, gateways: 2 };
  expect(loads.of('tickets', 4_999)).toEqual(both);
  expect(loads.of('tickets', 5_000)).toMatchObject({ inFlight: 3, gateways: 1 });
  expect(loads.of('tickets', 9_000)).toBeUndefined();
  expect(loads.of('orders', 0)).toBeUndefined();
});

test('a request that a gateway and an instance both count is counted once', () => {
  const loads = createLoads();
  loads.report('tickets', { gateway: 'a', ...figures, inFlight: 4 }, '', 0);
  loads.report('tickets', { instanceId: 'one', inFlight: 3 }, '', 0);
  expect(loads.of('tickets', 0)).toMatchObject({ inFlight: 4, p99Ms: 10 });
  loads.report('tickets', { instanceId: 'two', inFlight: 3 }, '', 0);
  expect(loads.of('tickets', 0)).toMatchObject({ inFlight: 6 });
});

// Story: a figure that nobody said was 0, so a service whose gateways were silent looked calm and was scaled down.
test('what nobody says is not shown as nothing', () => {
  const loads = createLoads();
  loads.report('tickets', { instanceId: 'one', inFlight: 3 }, '', 0);
  loads.report('tickets', { instanceId: 'two', p99Ms: 20 }, '', 0);
  expect(loads.of('tickets', 0)).toEqual({ inFlight: 3, p99Ms: 20, gateways: 0 });
});

test('what is told holds for its time, and names who said it', () => {
  const loads = createLoads();
  loads.report('tickets', { level: 'high', forMs: 5_000 }, 'operator', 0);
  expect(loads.of('tickets', 4_999)).toEqual({
    gateways: 0,
    told: { level: 'high', until: 5_000, by: 'operator' },
  });
  expect(loads.of('tickets', 5_000)).toBeUndefined();
});

test("an instance's normal ends its own high, and no other's; nobody's in particular ends all", () => {
  const loads = createLoads();
  const told = () => loads.of('tickets', 0)?.told;
  loads.report('tickets', { level: 'high', instanceId: 'one', forMs: 9_000 }, 'jti:a', 0);
  loads.report('tickets', { level: 'high', instanceId: 'two', forMs: 5_000 }, 'jti:a', 0);
  expect(told()).toEqual({ level: 'high', until: 9_000, by: 'one' });
  loads.report('tickets', { level: 'normal', instanceId: 'one' }, 'jti:a', 0);
  expect(told()).toEqual({ level: 'high', until: 5_000, by: 'two' });
  loads.report('tickets', { level: 'normal', by: 'ann' }, 'operator', 0);
  expect(told()).toEqual({ level: 'normal', until: 60_000, by: 'ann' });
});

test('those who say something are bounded, and who said it too long ago makes room', () => {
  const loads = createLoads();
  for (let index = 0; index < 1_000; index++)
    loads.report('tickets', { gateway: `g-${index}`, ...figures }, '', 0);
  const late = () => loads.report('tickets', { gateway: 'late', ...figures }, '', 0);
  expect(late).toThrow(expect.objectContaining({ code: 'limit_reached' }));
  loads.report('tickets', { gateway: 'g-1', ...figures }, '', 0);
  loads.report('tickets', { gateway: 'late', ...figures }, '', 5_000);
  expect(loads.of('tickets', 5_000)).toMatchObject({ gateways: 1 });
  loads.sweep(10_000);
  expect(loads.of('tickets', 5_000)).toBeUndefined();
});
