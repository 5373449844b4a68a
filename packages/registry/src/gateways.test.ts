import { expect, test } from 'vitest';
import { createGateways } from './gateways.ts';
import { createFakeClock } from './testing/fake-clock.ts';

const at = (revision: number) => ({ epoch: 'e', revision });

test('without gateways nobody is waited for', async () => {
  const gateways = createGateways(createFakeClock());
  expect(await gateways.waitFor(at(5), 1_000)).toEqual([]);
});

test('the wait ends when the last connected gateway has applied the revision', async () => {
  const gateways = createGateways(createFakeClock());
  gateways.opened('one');
  gateways.opened('two');
  gateways.reported('one', at(5));
  const answers: string[][] = [];
  const wait = gateways.waitFor(at(5), 1_000).then((missing) => answers.push(missing));
  gateways.reported('two', at(4));
  await Promise.resolve();
  expect(answers).toEqual([]);
  gateways.reported('two', at(6));
  await wait;
  expect(answers).toEqual([[]]);
});

test('at the limit it names those missing: one that reported nothing, and one of another epoch', async () => {
  const clock = createFakeClock();
  const gateways = createGateways(clock);
  for (const id of ['silent', 'stale', 'good']) gateways.opened(id);
  gateways.reported('stale', { epoch: 'before', revision: 99 });
  const wait = gateways.waitFor(at(5), 1_000);
  gateways.reported('good', at(5));
  await clock.advance(1_000);
  expect(await wait).toEqual(['silent', 'stale']);
});

test('a wait of nothing asks only', async () => {
  const gateways = createGateways(createFakeClock());
  gateways.opened('one');
  expect(await gateways.waitFor(at(5), 0)).toEqual(['one']);
});

test('a watch closed less than 2 s ago still counts; then nobody waits for it any more', async () => {
  const clock = createFakeClock();
  const gateways = createGateways(clock);
  const close = gateways.opened('one');
  close();
  close();
  await clock.advance(1_999);
  expect(gateways.connected()).toHaveLength(1);
  const wait = gateways.waitFor(at(5), 60_000);
  await clock.advance(1);
  expect(await wait).toEqual([]);
  expect(gateways.connected()).toEqual([]);
});

test('a watch that comes back within 2 s never left, and keeps what it applied', async () => {
  const clock = createFakeClock();
  const gateways = createGateways(clock);
  const first = gateways.opened('one');
  gateways.reported('one', at(5));
  first();
  await clock.advance(1_500);
  const second = gateways.opened('one');
  await clock.advance(10_000);
  expect(gateways.connected()).toEqual([{ id: 'one', applied: at(5) }]);
  const third = gateways.opened('one');
  second();
  await clock.advance(10_000);
  expect(gateways.connected()).toHaveLength(1);
  third();
  await clock.advance(2_000);
  expect(gateways.connected()).toEqual([]);
});

test('a report after the watch broke does not keep a gateway connected', async () => {
  const clock = createFakeClock();
  const gateways = createGateways(clock);
  gateways.opened('one')();
  await clock.advance(1_000);
  gateways.reported('one', at(5));
  await clock.advance(1_000);
  expect(gateways.connected()).toEqual([]);
});

test('a report alone makes nobody connected, but is remembered for a watch that follows', async () => {
  const clock = createFakeClock();
  const gateways = createGateways(clock);
  gateways.reported('one', at(5));
  expect(gateways.connected()).toEqual([]);
  await clock.advance(1_000);
  gateways.opened('one');
  expect(await gateways.waitFor(at(5), 1_000)).toEqual([]);
});

test('gateways are bounded: the next one is refused until another is forgotten', async () => {
  const clock = createFakeClock();
  const gateways = createGateways(clock, { limit: 2 });
  gateways.opened('one');
  gateways.reported('two', at(1));
  const full = expect.objectContaining({ code: 'limit_reached', retryable: true });
  expect(() => gateways.opened('three')).toThrow(full);
  expect(() => gateways.reported('three', at(1))).toThrow(full);
  gateways.reported('one', at(2));
  await clock.advance(2_000);
  gateways.opened('three');
});

test('closing ends every wait', async () => {
  const gateways = createGateways(createFakeClock());
  gateways.opened('one');
  const wait = gateways.waitFor(at(5), 1_000);
  gateways.close();
  expect(await wait).toEqual(['one']);
});
