import { mongo } from 'mongoose';
import { expect, test } from 'vitest';
import type { ServiceDocument } from './documents.ts';
import { readEvent } from './stream-event.ts';

const { BSON, Long, Timestamp } = mongo;

const document: ServiceDocument = {
  _id: 'tickets/a',
  name: 'tickets',
  url: '/tickets',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001' }],
  authorizedRoles: [],
  reg: {
    id: 'a',
    generation: 1,
    state: 'up',
    lease: 'none',
    registeredAt: 0,
    supersededRuns: [],
    write: 'self-1',
    at: 0,
  },
};
const inserted = {
  _id: { _data: '8265' },
  operationType: 'insert',
  clusterTime: new Timestamp({ t: 1_795_864_367, i: 5 }),
  wallTime: new Date(0),
  fullDocument: { ...document, url: '/as-the-database-has-it' },
  ns: { db: 'reg', coll: 'services' },
  documentKey: { _id: document._id },
};
const own = (write: string) => (write === 'self-1' ? document : undefined);

function urlIn(event: object, ownDocument = own): unknown {
  return readEvent(BSON.serialize(event), ownDocument).fullDocument?.url;
}

test('of a document that is being written here nothing is read but that it is that one', () => {
  const event = readEvent(BSON.serialize(inserted), own);
  expect(event).toMatchObject({
    operationType: 'insert',
    clusterTime: { high: 1_795_864_367, low: 5 },
    ns: { coll: 'services' },
    documentKey: { _id: 'tickets/a' },
    fullDocument: document,
  });
});

test('everything else is read as the database has it', () => {
  const asItIs = '/as-the-database-has-it';
  expect(urlIn(inserted, () => undefined)).toBe(asItIs);
  expect(urlIn({ ...inserted, documentKey: { _id: 'tickets/b' } })).toBe(asItIs);
  expect(urlIn({ ...inserted, documentKey: { _id: new BSON.ObjectId() } })).toBe(asItIs);
  expect(urlIn({ ...inserted, ns: { db: 'reg', coll: 'definitions' } })).toBe(asItIs);
  const lsid = { id: new BSON.UUID() };
  const inTransaction = { ...inserted, lsid, txnNumber: Long.fromNumber(1) };
  expect(urlIn(inTransaction)).toBe(asItIs);
  expect(readEvent(BSON.serialize(inTransaction), own)).toMatchObject({ lsid, txnNumber: 1 });
});

test('an event without a document is read whole', () => {
  const { fullDocument, ...deleted } = { ...inserted, operationType: 'delete' };
  expect(readEvent(BSON.serialize(deleted), own)).toMatchObject({
    operationType: 'delete',
    documentKey: { _id: 'tickets/a' },
  });
});
