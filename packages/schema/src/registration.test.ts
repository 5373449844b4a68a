import { expect, test } from 'vitest';
import { note } from './history.ts';
import { servicePolicy } from './policy.ts';
import { registration, registrationBody } from './registration.ts';

const original = {
  name: 'Tickets Query Service',
  url: '/tickets',
  endpoints: [{ type: 'http-get', url: 'http://127.0.0.1:3001/tickets' }],
  authorizedRoles: ['tickets-query'],
};

/** The path of the first fault, or 'valid'. */
function fault(change: Record<string, unknown>): string {
  const { success, error } = registration.safeParse({ ...original, ...change });
  return success ? 'valid' : (error.issues[0]?.path.join('.') ?? 'no issue');
}

test("the original's readable document is valid as it stands, and comes back as it went in", () => {
  expect(registration.parse(original)).toEqual(original);
});

test('the body of the HTTP request may leave the name to the path', () => {
  const { name: _, ...body } = original;
  expect(registrationBody.parse(body)).toEqual(body);
});

test.each([
  ['name', ''],
  ['name', 'x'.repeat(101)],
  ['name', ' tickets'],
  ['name', 'tick\nets'],
  ['name', 'tick\u2028ets'],
  ['name', '..'],
  ['name', '\ud800'],
  ['name', 7],
  ['url', 'tickets'],
  ['url', '/tickets/'],
  ['url', '//tickets'],
  ['url', '/a/../b'],
  ['url', '/a/%2e%2e/b'],
  ['url', '/a%2fb'],
  ['url', '/a?b'],
  ['url', '/ä'],
  ['url', `/${'x'.repeat(512)}`],
  ['authorizedRoles', undefined],
  ['authorizedRoles', 'admin'],
  ['authorizedRoles', { anyOf: [] }],
  ['authorizedRoles', Array.from({ length: 65 }, (_, index) => `role-${index}`)],
  ['endpoints', []],
  ['endpoints', Array.from({ length: 17 }, (_, index) => ({ type: 'http', url: `http://h:${index + 1}` }))],
  ['instanceId', 'a b'],
  ['instanceId', '.'],
  ['runId', ''],
  ['generation', 0],
  ['generation', 2 ** 53],
  ['lease', { ttlMs: 999 }],
  ['lease', { ttlMs: 86_400_001 }],
  ['lease', 'forever'],
  ['weight', -1],
  ['weight', 1.5],
  ['tags', Array.from({ length: 33 }, (_, index) => `tag-${index}`)],
  ['metadata', { key: 7 }],
  ['redefine', 'yes'],
  ['access', 'private'],
  ['merge', 'yes'],
  ['partial', 'some'],
  ['partial', 'allow'], // without merge
  ['deprecated', {}],
  ['deprecated', { sunset: '2027-01-31' }],
  ['deprecated', { sunset: 253_402_300_800_000 }],
  ['deprecated', { sunset: 1, since: 2 }],
])('%s %j is at fault, by its name', (field, value) => {
  expect(fault({ [field]: value })).toMatch(new RegExp(`^${field}(\\.|$)`));
});

test('an unknown field is refused: a misspelt lease must not become the default one', () => {
  expect(fault({ laese: 'none' })).toBe('');
});

test.each(['constructor', 'prototype'])('the metadata key %s is refused', (key) => {
  expect(fault({ metadata: JSON.parse(`{"${key}":"x"}`) })).toMatch(/^metadata/);
});

// Story: BSON refuses an object with this key, whatever its value. A registry writes up to 64 registrations with one
// command, and the others in it were 503, as often as this one was tried again.
test('a key that no database takes is refused, wherever callers choose keys', () => {
  expect(fault({ metadata: { _bsontype: 'x' } })).toBe('metadata._bsontype');
  const named = { service: 'tickets', event: 'said', text: 'x', data: { _bsontype: 'x' } };
  expect(note.safeParse(named).error?.issues[0]?.path).toEqual(['data', '_bsontype']);
  const check = { type: 'http', headers: { _bsontype: 'x' } };
  const { error } = servicePolicy.safeParse({ checks: [check] });
  expect(error?.issues[0]?.path).toEqual(['checks', 0, 'headers', '_bsontype']);
});

// Story: the registry that took it listed half of a surrogate pair, and all others what a database makes of that.
test('text that is no Unicode is refused by its field, also where programs alone read it', () => {
  const half = JSON.parse('"half \\ud800"');
  expect(fault({ metadata: { motto: half } })).toBe('metadata.motto');
  expect(fault({ metadata: { [half]: 'x' } })).toMatch(/^metadata/);
  expect(fault({ metadata: { motto: 'whole \u{1f3ab}, and\na line' } })).toBe('valid');
  const source = { kind: 'static', body: half };
  const { error } = servicePolicy.safeParse({ fallback: { use: [source] } });
  expect(error?.issues[0]?.path).toEqual(['fallback', 'use', 0, 'body']);
});

test('metadata has at most 64 keys', () => {
  expect(
    fault({ metadata: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, ''])) }),
  ).toBe('metadata');
});

test('a public service that names roles would look protected and is refused', () => {
  expect(fault({ access: 'public' })).toBe('authorizedRoles');
  expect(fault({ access: 'public', authorizedRoles: [] })).toBe('valid');
});

test('parts: a name in the merged answer is for one of them, and needs merge', () => {
  const part = (port: number, as?: string, type = 'http') => ({ type, url: `http://host:${port}/`, as });
  const parts = [part(1), part(2, 'customer'), part(3, 'sales desk')];
  expect(fault({ merge: true, partial: 'allow', endpoints: parts })).toBe('valid');
  expect(fault({ merge: true, endpoints: [part(1)] })).toBe('valid');
  expect(fault({ endpoints: parts })).toBe('endpoints.1.as');
  expect(fault({ merge: false, endpoints: parts })).toBe('endpoints.1.as');
  expect(fault({ merge: true, endpoints: [part(1, 'same'), part(2, 'same')] })).toBe('endpoints.1.as');
  const queue = { type: 'amqp', url: 'amqp://host/queue' };
  expect(fault({ merge: true, endpoints: [part(1), queue] })).toBe('endpoints.1.type');
  for (const as of ['', ' x', 'a\nb', 'x'.repeat(65), '__proto__', 'constructor', 'prototype']) {
    expect(fault({ merge: true, endpoints: [part(1, as)] })).toBe('endpoints.0.as');
  }
});

test.each([
  ['http', 'http://user:secret@host/'],
  ['http', 'http://host/a?b=c'],
  ['http', 'http://host/#f'],
  ['http', 'http://host:0/'],
  ['http', 'http://host/a/../b'],
  ['http', 'http://host/%2e%2e'],
  ['http', 'http://host\\a'],
  ['http', 'http://höst/'],
  ['http', 'host:3000'],
  ['http', 'ftp://host/'],
  ['http', 'amqp://host/queue'],
  ['amqp', 'http://host/'],
  ['http', `http://host/${'x'.repeat(2048)}`],
])('endpoint of type %s at %s is refused', (type, url) => {
  expect(fault({ endpoints: [{ type, url }] })).toBe('endpoints.0.url');
});

// To a URL's parser `localhost` is a scheme there: "must not have the scheme localhost:" helped nobody.
test.each(['localhost:3001', 'localhost:3001/tickets', '127.0.0.1:3001'])('%s lacks a scheme', (url) => {
  const { error } = registration.safeParse({ ...original, endpoints: [{ type: 'http', url }] });
  expect(error?.issues[0]?.message).toMatch(/^must be an absolute URL, like http:/);
});

test('the same endpoint twice is refused; one address under two types is not', () => {
  const get = { type: 'http-get', url: 'http://host:1/' };
  expect(fault({ endpoints: [get, get] })).toBe('endpoints');
  expect(fault({ endpoints: [get, { type: 'http-post', url: 'http://host:1/' }] })).toBe('valid');
});
