import type { ChangeSet } from '@reg/schema';
import { expect, test } from 'vitest';
import { createChangeLog } from './change-log.ts';
import { service } from './testing/records.ts';

const start = { epoch: 'e', revision: 100 };
const never = new AbortController().signal;

function set(revision: number): ChangeSet {
  return { revision, at: 0, changes: [service('tickets')] };
}

function at(revision: number) {
  return { epoch: 'e', revision };
}

async function take(sets: AsyncIterable<ChangeSet>, count: number): Promise<number[]> {
  const revisions: number[] = [];
  for await (const { revision } of sets) if (revisions.push(revision) === count) break;
  return revisions;
}

test('revisions have gaps: a position between two is followed by the next', async () => {
  const log = createChangeLog(start);
  for (const revision of [110, 120, 130]) log.append(set(revision));
  expect(await take(log.follow(at(100), never), 3)).toEqual([110, 120, 130]);
  expect(await take(log.follow(at(110), never), 2)).toEqual([120, 130]);
  expect(await take(log.follow(at(115), never), 2)).toEqual([120, 130]);
});

test.each([
  ['older than the log', at(99)],
  ['of another epoch', { epoch: 'other', revision: 120 }],
])('a position %s is compacted, said at once', (_, after) => {
  const log = createChangeLog(start);
  expect(() => log.follow(after, never)).toThrow(expect.objectContaining({ code: 'compacted', status: 410 }));
});

test('it keeps its capacity at least, twice that at most; the last one dropped can still be followed from', async () => {
  const log = createChangeLog(start, { capacity: 10 });
  for (let revision = 101; revision <= 119; revision++) log.append(set(revision));
  expect(await take(log.follow(at(100), never), 1)).toEqual([101]);
  log.append(set(120));
  expect(() => log.follow(at(109), never)).toThrow();
  expect(await take(log.follow(at(110), never), 10)).toEqual([
    111, 112, 113, 114, 115, 116, 117, 118, 119, 120,
  ]);
});

test('all who wait are woken by one append, and each reads at its own pace', async () => {
  const log = createChangeLog(start);
  const waiting = Array.from({ length: 100 }, () => take(log.follow(start, new AbortController().signal), 2));
  log.append(set(101));
  log.append(set(102));
  expect(new Set((await Promise.all(waiting)).map(String))).toEqual(new Set(['101,102']));
});

test('a reader ends when it is aborted, before it began, while it waits, and in the middle of what there is', async () => {
  const log = createChangeLog(start);
  expect(await take(log.follow(start, AbortSignal.abort()), 1)).toEqual([]);
  const stop = new AbortController();
  const waiting = take(log.follow(start, stop.signal), 1);
  stop.abort();
  expect(await waiting).toEqual([]);

  log.append(set(101));
  log.append(set(102));
  const middle = new AbortController();
  const seen: number[] = [];
  for await (const { revision } of log.follow(start, middle.signal)) {
    seen.push(revision);
    middle.abort();
  }
  expect(seen).toEqual([101]);
});

test('what changes nothing moves what is known, and neither the position nor who follows', async () => {
  const log = createChangeLog(start);
  log.append(set(110));
  const next = take(log.follow(log.position, never), 1);
  const known = Promise.all([log.reached(115, never), log.reached(120, never)]);
  log.advance(120);
  await known;
  expect(log.position).toEqual(at(110));
  log.append(set(130));
  expect(await next).toEqual([130]);
  expect(log.position).toEqual(at(130));
});

test('who waits for what is not known yet ends with it, with its signal, with another epoch and with the log', async () => {
  const log = createChangeLog(start);
  const leaving = new AbortController();
  const ended: string[] = [];
  const wait = (name: string, revision: number, signal = never) =>
    log.reached(revision, signal).then(() => void ended.push(name));
  const all = [wait('known', 105), wait('left', 900, leaving.signal), wait('epoch', 800)];
  log.restart(at(110));
  await all[0];
  leaving.abort();
  await all[1];
  expect(ended).toEqual(['known', 'left']);
  log.restart({ epoch: 'f', revision: 1 });
  await all[2];
  const closed = wait('closed', 900);
  log.close();
  await closed;
  expect(ended).toEqual(['known', 'left', 'epoch', 'closed']);
  await log.reached(900, AbortSignal.abort());
});

test('closing ends every reader', async () => {
  const log = createChangeLog(start);
  const waiting = take(log.follow(start, never), 1);
  log.close();
  expect(await waiting).toEqual([]);
  expect(await take(log.follow(start, never), 1)).toEqual([]);
});
