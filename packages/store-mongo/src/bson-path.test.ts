import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import { hasLong, textAt, timestampAt } from './bson-path.ts';

const { BSON, Long, Timestamp } = mongo;

/** One of every type that a document may hold. */
const values = {
  double: 1.5,
  text: 'näme',
  document: { inner: { text: 'within' }, list: [1, 'two', { three: 3 }] },
  list: ['a', { b: 1 }],
  binary: new BSON.Binary(Buffer.from([1, 0, 2])),
  objectId: new BSON.ObjectId(),
  yes: true,
  date: new Date(0),
  nothing: null,
  int: 7,
  timestamp: new Timestamp({ t: 1_795_864_367, i: 5_213 }),
  long: Long.fromString('9007199254740993'),
  decimal: BSON.Decimal128.fromString('1.5'),
};

function bytesOf(document: object): Buffer {
  return Buffer.from(BSON.serialize(document));
}

test('what stands behind a value of any type is found', () => {
  for (const [before, value] of Object.entries(values)) {
    const bytes = bytesOf({
      [before]: value,
      later: { text: 'here', time: values.timestamp, long: values.long },
    });
    expect(textAt(bytes, 'later', 'text'), before).toBe('here');
    expect(timestampAt(bytes, 'later', 'time'), before).toEqual({ high: 1_795_864_367, low: 5_213 });
    expect(hasLong(bytes, 'later', 'long'), before).toBe(true);
  }
});

test('a value of another type, or none, is not found', () => {
  const bytes = bytesOf(values);
  for (const name of Object.keys(values)) {
    expect(textAt(bytes, name) !== undefined, name).toBe(name === 'text');
    expect(timestampAt(bytes, name) !== undefined, name).toBe(name === 'timestamp');
    expect(hasLong(bytes, name), name).toBe(name === 'long');
  }
  expect(textAt(bytes, 'absent')).toBeUndefined();
  expect(textAt(bytes, 'text', 'within')).toBeUndefined();
  expect(textAt(bytes, 'list', '0')).toBeUndefined(); // a list is no document
  expect(textAt(bytesOf({}), 'text')).toBeUndefined();
});

test('a text is found as it is, and no other name for it', () => {
  expect(textAt(bytesOf(values), 'document', 'inner', 'text')).toBe('within');
  expect(textAt(bytesOf({ texts: 'no', tex: 'no', text: 'yes' }), 'text')).toBe('yes');
  expect(textAt(bytesOf({ text: '' }), 'text')).toBe('');
});

test('behind a type that nobody writes any more nothing is found', () => {
  const bytes = bytesOf({ code: new BSON.Code('x', { y: 1 }), text: 'behind' });
  expect(textAt(bytes, 'text')).toBeUndefined();
});

test('bytes that are no document end the search', () => {
  const whole = bytesOf(values);
  for (let end = 0; end < whole.length; end++) {
    try {
      expect(textAt(whole.subarray(0, end), 'absent')).toBeUndefined();
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  }
  for (let at = 4; at < whole.length; at++) {
    const broken = Buffer.from(whole);
    broken[at] = 0xff;
    try {
      textAt(broken, 'absent');
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  }
});
