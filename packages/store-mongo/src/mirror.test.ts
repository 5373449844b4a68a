import { createView, type MutableView } from '@reg/registry';
import { expect, test } from 'vitest';
import type { DefinitionDocument, TombstoneDocument } from './documents.ts';
import { createServiceReader } from './instance-document.ts';
import { healing } from './interpreter.ts';
import { createMirror, type DocumentEvent } from './mirror.ts';

const document = {
  _id: 'a',
  name: 'tickets',
  url: '/tickets',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001' }],
  authorizedRoles: [],
};

const gone: TombstoneDocument = {
  _id: 'tickets/a',
  service: 'tickets',
  instanceId: 'a',
  generation: 1,
  supersededRuns: [],
  leaseMs: 1_000,
  kind: 'instance-expired',
  goneAt: new Date(0),
  write: 'write-1',
};

function definedBy(write: string): DocumentEvent {
  const shared = { url: '/tickets', authorizedRoles: [], access: 'token' as const };
  const written = { _id: 'tickets', ...shared, path: '/tickets', slug: 'tickets', write, at: 0 };
  return { collection: 'definitions', id: 'tickets', document: written };
}

function openMirror() {
  const view: MutableView = createView({ epoch: 'e', revision: 0 });
  const mirror = createMirror(view);
  mirror.load({ services: [], definitions: [], tombstones: [] }, 0);
  let revision = 0;
  const follow = (event: DocumentEvent) =>
    mirror.follow([event], (change) => view.apply({ revision: ++revision, at: 0, changes: [change] }, 0));
  return { view, mirror, follow };
}

// Story: a document made by hand had gone when the registries wrote down what its service shares; so a service
// without instances stayed for an hour.
test('a definition that was written down for a document which is gone by then goes too', () => {
  const { view, follow } = openMirror();
  const put = follow({ collection: 'services', id: 'a', document });
  expect(put.undefinedServices).toMatchObject([{ name: 'tickets' }]);
  follow({ collection: 'services', id: 'a', document: undefined });
  const late = follow(definedBy(`${healing}1`));
  expect(view.services.size).toBe(0);
  expect(late).toMatchObject({ changes: [], leftDefinitions: ['tickets'] });
});

// Story: a document by hand was edited a moment after it was inserted, while a registry wrote down what its service
// shares; that came after the edit, and took it back.
test('a definition that was written down for a document which was edited meanwhile is written anew', () => {
  const { view, follow } = openMirror();
  follow({ collection: 'services', id: 'a', document });
  follow({ collection: 'services', id: 'a', document: { ...document, url: '/moved' } });
  const late = follow(definedBy(`${healing}1`));
  expect(view.services.get('tickets')?.definition.url).toBe('/moved');
  expect(late).toMatchObject({ changes: [], undefinedServices: [{ name: 'tickets', url: '/moved' }] });
});

// Story: registries were closed after they had written down what a document by hand shares, and before they saw
// that its document had to stand aside: who started next listed a service without instances, for an hour.
test('who starts finds a definition of nobody by hand, and takes it away; one whose instances expired stays', () => {
  const written = definedBy(`${healing}1`).document as DefinitionDocument;
  const load = (tombstones: TombstoneDocument[]) =>
    createMirror(createView({ epoch: 'e', revision: 0 })).load(
      { services: [], definitions: [written], tombstones },
      0,
    );
  expect(load([])).toMatchObject({ view: { services: new Map() }, leftDefinitions: ['tickets'] });
  const kept = load([gone]);
  expect([...kept.view.services.keys()]).toEqual(['tickets']);
  expect(kept.leftDefinitions).toEqual([]);
});

test('a definition that a registration writes begins its service', () => {
  const { view, follow } = openMirror();
  expect(follow(definedBy('write-1')).changes).toMatchObject([{ kind: 'service-updated' }]);
  expect([...view.services.keys()]).toEqual(['tickets']);
});

// Story: two registries believed different things of a service, for one had read a document that the other had not. Each
// wrote down what it knew, two thousand times in three seconds, and neither ever gave in.
test('who is contradicted again and again by what others write down reads everything anew', () => {
  const { follow } = openMirror();
  follow({ collection: 'services', id: 'a', document: { ...document, url: '/ours' } });
  const contradict = (from: number, times: number) => {
    for (let write = from; write < from + times; write++) follow(definedBy(`${healing}${write}`));
  };
  contradict(0, 10);
  follow({ collection: 'services', id: 'a', document: { ...document, url: '/edited' } }); // begins anew
  contradict(10, 10);
  expect(() => contradict(20, 1)).toThrow('registries contradict each other about tickets');
});

// Story: what is taken away at a start was skipped in silence, and `reg verify`, which reads as a start does, told of it
// no more.
test('a run that outlived its successor is not listed at a start, is to be taken away, and is reported', () => {
  const notes = {
    id: 'a',
    state: 'up',
    lease: 'none',
    registeredAt: 0,
    supersededRuns: [],
    write: 'w1',
    at: 0,
  };
  const readService = createServiceReader();
  const load = (buried: number) => {
    const mirror = createMirror(createView({ epoch: 'e', revision: 0 }));
    const tombstone: TombstoneDocument = { ...gone, kind: 'instance-unregistered', generation: buried };
    const service = readService({ ...document, reg: { ...notes, generation: 2 } });
    const { view, refused } = mirror.load(
      { services: [service], definitions: [], tombstones: [tombstone] },
      0,
    );
    return { services: view.services.size, refused, invalid: mirror.invalid() };
  };
  expect(load(1)).toEqual({ services: 1, refused: [], invalid: [] });
  expect(load(3)).toMatchObject({
    services: 0,
    refused: [{ id: 'a', write: 'w1' }],
    invalid: [{ id: 'a', path: 'reg.generation' }],
  });
});
