// What a store promises of its history (8).
import assert from 'node:assert/strict';
import { type Change, parseCursor } from '@reg/schema';
import { instanceKey, type Store } from '../store.ts';
import type { FakeClock } from './fake-clock.ts';
import { joined, service, write } from './records.ts';

export async function holdsHistory(store: Store, clock: FakeClock): Promise<void> {
  const { position } = store.view;
  const ann = { by: 'sub:ann', from: '192.0.2.1' };
  const now = clock.now();
  const key = instanceKey({ service: 'tickets', id: 'one' });
  await store.write(joined('tickets', 'one', 5), new Map([[key, 0]]), now, ann);
  const why = { reason: 'exit-code', by: 'operator' };
  const gone = { service: 'tickets', instanceId: 'one', generation: 5, reason: why.reason };
  const changes: Change[] = [
    { kind: 'instance-unregistered', ...gone },
    { kind: 'service-removed', service: 'tickets' },
  ];
  await store.write(changes, new Map([[key, 5]]), now, { by: why.by });
  await store.write([service('orders')], new Map(), now);
  const { entries, next } = store.history.read({ after: { ...position, index: undefined } });
  assert.deepEqual(
    entries.map(({ kind, by, from, reason }) => ({ kind, by, from, reason })),
    [
      { kind: 'service-updated', ...ann, reason: undefined },
      { kind: 'instance-registered', ...ann, reason: undefined },
      { kind: 'instance-unregistered', from: undefined, ...why },
      { kind: 'service-removed', by: why.by, from: undefined, reason: undefined },
      { kind: 'service-updated', by: undefined, from: undefined, reason: undefined },
    ],
  );
  assert.equal(entries.at(-1)?.revision, store.view.position.revision);
  assert.deepEqual(store.history.read({ after: parseCursor(next) }).entries, []);
}

export async function holdsNotes(store: Store, clock: FakeClock): Promise<void> {
  await write(store, [service('tickets')], new Map(), clock.now());
  const before = store.view.position;
  const notes = ['one', 'two'].map((text) => ({ service: 'tickets', event: 'check-failing', text }));
  const who = { by: 'jti:a', from: '192.0.2.1' };
  await store.note(notes, clock.now(), who);
  const { entries } = store.history.read({ after: { ...before, index: undefined } });
  assert.deepEqual(
    entries.map(({ revision: _, ...entry }) => entry),
    notes.map((note) => ({ at: clock.now(), kind: 'note', ...note, ...who })),
  );
  // The next thing that who follows is told is the next change.
  const { revision } = await write(store, [service('tickets')], new Map(), clock.now());
  for await (const set of store.changes(before, new AbortController().signal)) {
    assert.equal(set.revision, revision);
    break;
  }
}
