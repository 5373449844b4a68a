// What is known of a service already is not checked again at a start: that must be no way around the checks.
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { createServiceReader, isFault, readDocument } from './instance-document.ts';

const role = new mongo.ObjectId();

const good = {
  _id: 'tickets/a',
  name: 'tickets',
  url: '/tickets',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001' }],
  authorizedRoles: [role.toHexString()],
  reg: {
    id: 'a',
    generation: 7,
    state: 'up',
    lease: { ttlMs: 10_000 },
    registeredAt: 1,
    supersededRuns: [],
    write: 'w-1',
    at: 1,
  },
};
const { reg: _reg, ...byHand } = good;

test.each<[string, Record<string, unknown>, 'is at fault' | 'says something']>([
  ['the same again', good, 'says something'],
  ['one by hand', { ...byHand, _id: role }, 'says something'],
  ['one that says more of itself', { ...good, zone: 'a', tags: ['x'], lease: 'none' }, 'says something'],
  [
    'parts of lists with ids',
    { ...good, endpoints: [{ ...good.endpoints[0], _id: role }] },
    'says something',
  ],
  ['access spelled out', { ...good, access: 'token' }, 'says something'],
  ['another path', { ...good, url: '/other' }, 'says something'],
  ['no roles', { ...good, authorizedRoles: [] }, 'says something'],
  ['a role that only reads like the one known', { ...good, authorizedRoles: [role] }, 'is at fault'],
  ['public, with roles', { ...good, access: 'public' }, 'is at fault'],
  ['access that is null', { ...good, access: null }, 'is at fault'],
  ['a field that nobody knows', { ...good, surprise: 1 }, 'is at fault'],
  ['no endpoints', { ...good, endpoints: undefined }, 'is at fault'],
  ['an endpoint twice', { ...good, endpoints: [good.endpoints[0], good.endpoints[0]] }, 'is at fault'],
  [
    'a part of what is not merged',
    { ...good, endpoints: [{ ...good.endpoints[0], as: 'x' }] },
    'is at fault',
  ],
  ['notes that were edited', { ...good, reg: { ...good.reg, generation: 'x' } }, 'is at fault'],
  ['an id that is none', { ...byHand, _id: 'not an id' }, 'is at fault'],
])('%s: read after another one of its service as it is read alone', (_what, document, verdict) => {
  const read = createServiceReader();
  expect(isFault(read(good).read)).toBe(false);
  const { id, read: after } = read(document);
  expect(after).toEqual(readDocument(document));
  expect(isFault(after)).toBe(verdict === 'is at fault');
  expect(id).toBe(document._id);
});

test('instances of one service share one definition in memory', () => {
  const read = createServiceReader();
  const [one, other] = [read(good).read, read({ ...good, _id: 'tickets/b' }).read];
  if (isFault(one) || isFault(other)) throw new TypeError('both say something');
  expect(other.definition).toBe(one.definition);
});

// Story: who made documents with numbers for an _id was told that these must be letters, and no way to keep them.
test('an _id that is no id of an instance needs an instanceId, and the fault says so', () => {
  const numbered = { ...byHand, _id: 7 };
  expect(readDocument(numbered)).toEqual({ path: '_id', message: expect.stringMatching(/ an instanceId$/) });
  expect(readDocument({ ...numbered, instanceId: 'seven' })).toMatchObject({
    instance: { instanceId: 'seven' },
  });
});
