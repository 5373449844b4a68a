// Looks that go on at once: one outside of the turn, and another one within.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { createContents } from './contents.ts';

const bytesOf = (_id: string, value: number) => mongo.BSON.serialize({ _id, value });

/** A collection whose readings go on, one document at a time, when they are told to. */
function openCollection(...ids: readonly string[]) {
  const documents = new Map(ids.map((id) => [id, 0]));
  const readings: { held: boolean; release(): void }[] = [];
  let holds = false;
  let isAway = false;
  const collection = {
    find() {
      let wake = () => {};
      const released = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const reading = { held: holds, release: () => wake() };
      readings.push(reading);
      const all = [...documents].map(([id, value]) => bytesOf(id, value));
      const batches = [all.slice(0, 1), all.slice(1)];
      return {
        async hasNext() {
          if (batches.length < 2 && reading.held) await released;
          if (isAway) throw new Error('the database is away');
          return batches.length > 0;
        },
        readBufferedDocuments: () => batches.shift() ?? [],
      };
    },
  };
  return {
    contents: createContents<string>(collection),
    documents,
    hold(on: boolean) {
      holds = on;
    },
    away(on: boolean) {
      isAway = on;
    },
    last: () => readings.at(-1),
  };
}

const read = (document: unknown) => document;
const valuesOf = (found: readonly { id: unknown; document: unknown }[]) =>
  found.map(({ id, document }) => [id, (document as { value: number } | undefined)?.value]);

// Story: a look outside of the turn went on while one within it began and failed midway. What the first one had found
// by then counted as gone, and everything was unlisted for a moment.
test('a look is told of what it found itself, whatever became of another one', async () => {
  const { contents, hold, away, last } = openCollection('a', 'b', 'c');
  await contents.load(read);
  hold(true);
  const first = contents.look();
  const ofFirst = last();
  for (let turn = 0; turn < 5; turn++) await nextTurn(); // it has read what is there before the rest
  away(true);
  await expect(contents.look()).rejects.toThrow('the database is away');
  away(false);
  ofFirst?.release();
  expect((await first)()).toEqual([]);
});

test('what was noted, or found by a later look, is not undone by one that began before', async () => {
  const { contents, documents, hold, last } = openCollection('a', 'b', 'c');
  await contents.load(read);
  documents.set('b', 1);
  hold(true);
  const first = contents.look();
  const ofFirst = last();
  documents.set('b', 2);
  documents.delete('c');
  hold(false);
  const second = await contents.look();
  contents.note('a', { _id: 'a', value: 7 });
  expect(valuesOf(second())).toEqual([
    ['c', undefined],
    ['b', 2],
  ]);
  ofFirst?.release();
  expect((await first)()).toEqual([]);
});
