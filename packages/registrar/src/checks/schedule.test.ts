import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { checkHttp } from './http.ts';
import { createCheckSchedule } from './schedule.ts';
import { checkTcp } from './tcp.ts';

test('a check that takes longer than its interval is made again only after it ended', async () => {
  const schedule = createCheckSchedule();
  let underWay = 0;
  let most = 0;
  let made = 0;
  const end: (() => void)[] = [];
  schedule.add({
    intervalMs: 100,
    async run() {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => end.push(resolve));
      underWay--;
      made++;
    },
  });
  await eventually(() => end.length === 1);
  // Another one comes and goes several times meanwhile.
  let others = 0;
  const other = schedule.add({ intervalMs: 20, run: async () => void others++ });
  await eventually(() => others >= 10);
  expect(end).toHaveLength(1);
  end.shift()?.();
  await eventually(() => made === 1 && end.length === 1);
  expect(most).toBe(1);
  other.remove();
  end.shift()?.();
  schedule.close();
});

test('one that is removed is told to give up, and is not made again', async () => {
  const schedule = createCheckSchedule();
  let given: AbortSignal | undefined;
  const one = schedule.add({
    intervalMs: 10,
    async run(signal) {
      given = signal;
    },
  });
  await eventually(() => given !== undefined);
  one.remove();
  expect(given?.aborted).toBe(true);
  schedule.close();
});

// Story: with one queue for all, a thousand dead targets held every place for their whole timeout, and the living
// were found failing by checks that began seconds late.
test('a thousand targets that never answer do not delay the others', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined))).listen(
    0,
    '127.0.0.1',
  );
  const answering = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  }).listen(0, '127.0.0.1');
  await Promise.all([once(silent, 'listening'), once(answering, 'listening')]);
  const urlOf = (server: typeof silent) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const [dead, living] = [urlOf(silent), urlOf(answering)];

  const schedule = createCheckSchedule();
  let timedOut = 0;
  for (let index = 0; index < 1_000; index++)
    schedule.add({
      intervalMs: 1_000,
      async run(signal) {
        const { because } = await checkHttp({ type: 'http' }, dead, 2_000, signal);
        if (because.includes('no answer')) timedOut++;
      },
    });
  const rounds = Array.from({ length: 50 }, () => 0);
  const outcomes = new Set<string>();
  for (const index of rounds.keys())
    schedule.add({
      intervalMs: 500,
      async run(signal) {
        outcomes.add((await checkTcp({ type: 'tcp' }, living, 2_000, signal)).outcome);
        rounds[index] = (rounds[index] ?? 0) + 1;
      },
    });
  await eventually(() => timedOut >= 1_000, Boolean, { withinMs: 30_000 });
  // In the time in which each of the dead was made once or twice, the living were each made as often as they should.
  const before = [...rounds];
  const deadBefore = timedOut;
  await eventually(() => rounds.every((count, index) => count >= (before[index] ?? 0) + 4), Boolean, {
    withinMs: 30_000,
  });
  expect(timedOut - deadBefore).toBeLessThan(1_500);
  expect([...outcomes]).toEqual(['passed']);
  schedule.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
  answering.close();
}, 90_000);
