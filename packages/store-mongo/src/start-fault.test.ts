// What is told of a database that cannot be used; the driver's own errors are made by the driver.
import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { checkVersion, isAway, startFault } from './start-fault.ts';
import { parseStoreUrl, withoutPassword } from './store-url.ts';

const url = 'mongodb://ada:s%40same@127.0.0.1:27017/reg';

test.each([
  ['mongodb://h/reg', 'h', 'reg', undefined],
  ['mongodb://a:1,b:2,c:3/reg?replicaSet=rs', 'a:1,b:2,c:3', 'reg', undefined],
  ['mongodb+srv://a%40b:secret@cluster.example/reg?w=1', 'cluster.example', 'reg', 'a@b'],
])('%s is read: hosts, database, user', (text, hosts, database, user) => {
  expect(parseStoreUrl(text)).toEqual({ hosts, database, user });
});

test.each([
  ['http://127.0.0.1/reg', 'none of a database'],
  ['mongodb://', 'none of a database'],
  ['mongodb://ada:ses/ame@h/reg', 'none of a database'],
  ['mongodb://ada:ses@ame@h/reg', 'none of a database'],
  ['mongodb://ada:sesame@h', 'names no database'],
  ['mongodb://ada:sesame@h/reg\n', 'the end of a line'], // read from a file: it was a database of its own
  ['mongodb://ada:sesame@h/?replicaSet=rs', 'names no database'],
])('%s is refused, and its password not shown', (text, why) => {
  const refused = () => parseStoreUrl(text);
  expect(refused).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  expect(refused).toThrow(why);
  expect(refused).not.toThrow(/ses|ame@/);
});

test('the password is in no text, as it is written in the URL or as it is meant, nor the URL itself', () => {
  for (const text of [`cannot use ${url}`, 'wrong: s%40same', 'wrong: s@same']) {
    expect(withoutPassword(text, url)).not.toMatch(/s(%40|@)same/);
  }
  expect(withoutPassword('h:1 is away', 'mongodb://h:1/reg')).toBe('h:1 is away');
});

test('a server before 6.0 is refused by its version, 6.0 is not', () => {
  expect(() => checkVersion({ version: '5.0.31', maxWireVersion: 13 })).toThrow(/MongoDB 5\.0\.31.*6\.0/);
  expect(() => checkVersion({ version: '6.0.5', maxWireVersion: 17 })).not.toThrow();
});

test('what the driver throws is told in one line, as wrong usage or as a store that is not there', () => {
  const denied = new mongo.MongoServerError({ message: 'not authorized on reg to execute {…}', code: 13 });
  expect(startFault(denied, url)).toMatchObject({
    code: 'store_unavailable',
    message: expect.stringMatching(/^[^\n]*user ada[^\n]*readWrite and dbAdmin[^\n]*in reg$/),
  });
  const option = new mongo.MongoParseError('option\nnope is not supported');
  expect(startFault(option, url)).toMatchObject({
    code: 'invalid_request',
    message: "the store's URL: option nope is not supported",
  });
  expect(startFault(new Error(`something about ${url}`), url).message).not.toContain('same');
});

test('away is who does not answer; what a person has to mend is not', () => {
  const dns = Object.assign(new Error('querySrv ENOTFOUND _mongodb._tcp.h'), { syscall: 'querySrv' });
  const noFile = Object.assign(new Error("ENOENT: no such file, open '/ca.pem'"), { syscall: 'open' });
  const away = [
    new mongo.MongoNetworkError('connection closed'),
    new mongo.MongoNetworkTimeoutError('late'),
    dns,
  ];
  const toMend = [
    new mongo.MongoServerError({ message: 'Authentication failed.', code: 18 }),
    new mongo.MongoServerError({ message: 'not authorized', code: 13 }),
    new mongo.MongoParseError('option nope is not supported'),
    noFile,
  ];
  expect(away.map((cause) => isAway(startFault(cause, url)))).toEqual(away.map(() => true));
  expect(toMend.map((cause) => isAway(startFault(cause, url)))).toEqual(toMend.map(() => false));
  for (const cause of away) expect(startFault(cause, url).message).toMatch(/^no database that can be used/);
});

test('a set without a primary is told as such; where a member says why, its word is told', () => {
  const reason = { type: 'ReplicaSetNoPrimary', servers: new Map([['h:1', {}]]) } as never;
  const messageOf = (text: string) =>
    startFault(new mongo.MongoServerSelectionError(text, reason), url).message;
  expect(messageOf('Server selection timed out after 10000 ms')).toMatch(
    /^no database that can be used answers at [^ ]+: the replica set has no primary at the moment$/,
  );
  expect(messageOf('connect ECONNREFUSED 127.0.0.1:1')).toMatch(/: connect ECONNREFUSED 127\.0\.0\.1:1$/);
});

// Story: a mongod with --replSet that nobody had initiated yet was told as "Server selection timed out after 10000 ms".
test.each(['Unknown', 'ReplicaSetNoPrimary'])(
  'a set that was never initiated is told as such (%s)',
  (type) => {
    const reason = { type, servers: new Map([['h:1', { type: 'RSGhost' }]]) } as never;
    const cause = new mongo.MongoServerSelectionError('Server selection timed out after 10000 ms', reason);
    expect(startFault(cause, url).message).toMatch(
      /^no database [^\n]*: who answers there [^\n]* never initiated$/,
    );
  },
);
