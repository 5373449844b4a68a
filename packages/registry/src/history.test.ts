import type { Change, ChangeSet, Note } from '@reg/schema';
import { parseCursor } from '@reg/schema';
import { expect, test } from 'vitest';
import { createHistory, type HistoryOptions, type HistoryQuery } from './history.ts';
import { joined, service } from './testing/records.ts';

const gone = (reason: string): Change => ({
  kind: 'instance-unregistered',
  service: 'tickets',
  instanceId: 'one',
  generation: 1,
  reason,
});

const noteOf = (text: string): Note => ({ service: 'tickets', event: 'check-failing', text });

function opened(options?: HistoryOptions) {
  let revision = 0;
  const history = createHistory(() => ({ epoch: 'e', revision }), options);
  return {
    history,
    change(changes: Change[], at = 0) {
      revision += 1;
      const set: ChangeSet = { revision, at, changes };
      return history.append(set, { by: 'sub:ann', from: '192.0.2.1' });
    },
    note: (...texts: string[]) => history.note(texts.map(noteOf), { by: 'operator' }, revision, 5),
    /** What was read, and where to read on. */
    read({ after, ...query }: Omit<HistoryQuery, 'after'> & { after?: string } = {}) {
      return history.read({ ...query, after: after === undefined ? undefined : parseCursor(after) });
    },
  };
}

const wordsOf = ({ entries }: { entries: readonly { kind: string; text?: string | undefined }[] }) =>
  entries.map(({ kind, text }) => text ?? kind);

test('an entry says who, what, when, why and from where, and nothing that is not known', () => {
  const { change, note, read } = opened();
  change(joined('tickets', 'one', 1), 3);
  change([gone('exit-code exited 3')], 4);
  note('no answer within 2 s');
  const who = { by: 'sub:ann', from: '192.0.2.1' };
  expect(read()).toEqual({
    epoch: 'e',
    revision: 2,
    next: 'e.2.1',
    entries: [
      { revision: 1, at: 3, kind: 'service-updated', service: 'tickets', url: '/tickets', ...who },
      {
        revision: 1,
        at: 3,
        kind: 'instance-registered',
        service: 'tickets',
        instanceId: 'one',
        generation: 1,
        endpoints: ['http://one.test'],
        ...who,
      },
      { revision: 2, at: 4, ...gone('exit-code exited 3'), ...who },
      {
        revision: 2,
        at: 5,
        kind: 'note',
        service: 'tickets',
        event: 'check-failing',
        text: 'no answer within 2 s',
        by: 'operator',
      },
    ],
  });
});

test('read page by page, every entry comes once and in order, whatever came between', () => {
  const { change, note, read } = opened();
  let after = 'e.0';
  const seen: string[] = [];
  for (let round = 0; round < 50; round++) {
    change([service('tickets')]);
    if (round % 3 === 0) note(`${round}`, `${round}'`);
    const page = read({ after, limit: 1 + (round % 4) });
    seen.push(...wordsOf(page));
    after = page.next;
  }
  for (let page = read({ after }); page.entries.length > 0; page = read({ after })) {
    seen.push(...wordsOf(page));
    after = page.next;
  }
  expect(seen).toEqual(wordsOf(read({ limit: 1_000 })));
  expect(seen).toHaveLength(50 + 34);
});

test('after a position comes what was noted since that change, and not the change itself', () => {
  const { change, note, read } = opened();
  change([service('one')]);
  note('later');
  change([service('two')]);
  expect(wordsOf(read({ after: 'e.1' }))).toEqual(['later', 'service-updated']);
  expect(wordsOf(read({ after: 'e.1.1' }))).toEqual(['service-updated']);
});

test('without a position the latest are given, of one service where it is named; reading on skips what was read', () => {
  const { change, read } = opened();
  for (let index = 0; index < 10; index++) change([service(index % 2 ? 'odd' : 'even')]);
  expect(read({ limit: 3 }).entries.map(({ revision }) => revision)).toEqual([8, 9, 10]);
  const page = read({ service: 'odd', limit: 2 });
  expect(page.entries.map(({ revision }) => revision)).toEqual([8, 10]);
  expect(read({ after: page.next }).entries).toEqual([]);
  expect(read({ after: 'e.0', service: 'odd', limit: 2 }).next).toBe('e.4.0');
});

test('a revision is never cut in two', () => {
  const { change, read } = opened();
  change([service('a'), service('b'), service('c')]);
  change([service('d')]);
  expect(read({ after: 'e.0', limit: 2 }).entries).toHaveLength(3);
});

test('of a service that was there it says what is new', () => {
  const { change, read } = opened();
  const orders = { name: 'orders', url: '/orders', authorizedRoles: [], access: 'token' as const };
  const scaled = { ...orders, policy: { scaling: { max: 3 } } };
  change([{ kind: 'service-updated', service: orders }]);
  change([{ kind: 'service-updated', service: scaled }]);
  change([{ kind: 'service-updated', service: { ...scaled, authorizedRoles: ['a'], url: '/o' } }]);
  change([{ kind: 'service-removed', service: 'orders' }]);
  change([{ kind: 'service-updated', service: orders }]);
  expect(read().entries.map(({ changed }) => changed)).toEqual([
    undefined,
    ['policy'],
    ['url', 'authorizedRoles'],
    undefined,
    undefined,
  ]);
});

// Story: a check that flaps a hundred times a second must not make everybody forget who unregistered what.
test('a flood of notes pushes out notes, and no change', () => {
  const { change, note, read } = opened({ changesKept: 10, notesKept: 10 });
  change([gone('the one that matters')]);
  for (let index = 0; index < 1_000; index++) note(`${index}`);
  const { entries } = read({ limit: 1_000 });
  expect(entries[0]).toMatchObject({ reason: 'the one that matters' });
  expect(entries.length).toBeLessThanOrEqual(1 + 2 * 10);
  expect(entries.at(-1)).toMatchObject({ text: '999' });
});

test('what is not kept any more, or is of another epoch, is told and not skipped', () => {
  const { change, read } = opened({ changesKept: 10 });
  for (let index = 0; index < 100; index++) change([service('tickets')]);
  expect(() => read({ after: 'e.1' })).toThrow(expect.objectContaining({ code: 'compacted' }));
  expect(() => read({ after: 'other.99' })).toThrow(expect.objectContaining({ code: 'compacted' }));
  expect(read({ after: 'e.99' }).entries).toHaveLength(1);
});

test('what a store kept is put where it belongs, once', () => {
  const first = opened();
  const kept = [
    ...first.change([service('a')]),
    ...first.change([service('b')]),
    ...first.note('noted'),
    ...first.change([service('c')]),
  ];
  const again = opened();
  again.history.append({ revision: 3, at: 0, changes: [service('c')] }, { by: 'sub:ann', from: '192.0.2.1' });
  again.history.restore(kept.toReversed(), 1);
  again.history.restore(kept.slice(1), 1);
  expect(again.read({ limit: 9 }).entries).toEqual(first.read({ limit: 9 }).entries);
  expect(() => again.read({ after: 'e.0' })).toThrow(expect.objectContaining({ code: 'compacted' }));
  expect(wordsOf(again.read({ after: 'e.1' }))).toEqual(['service-updated', 'noted', 'service-updated']);
});
