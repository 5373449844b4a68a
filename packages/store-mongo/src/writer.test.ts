// What joins goes to the database in bulks: how they fare where one of them, or one document in it, does not.
import { createSystemClock } from '@reg/registry';
import { mongo } from 'mongoose';
import { expect } from 'vitest';
import { test, useServers } from '../../../tests/support/database-servers.ts';
import { collectionsOf, type ServiceDocument } from './documents.ts';
import { type ReadInstance, readDocument } from './instance-document.ts';
import { startWritable } from './writable.ts';
import { createWriter } from './writer.ts';

const urlOf = useServers('replica set');

function documentNamed(_id: string, more: object = {}): ServiceDocument {
  const endpoints = [{ type: 'http', url: `http://127.0.0.1:3001/${_id}` }] as const;
  return { _id, name: 'tickets', url: '/tickets', endpoints, authorizedRoles: [], ...more };
}

// Story: BSON has no way to write an object with the key `_bsontype`. One client sent it as metadata, and all that was
// written with the same command failed with it.
test.each([
  ['cannot be written as BSON', { metadata: { _bsontype: 'x' } }],
  ['is too large for any command', { metadata: { motto: 'x'.repeat(50_000_000) } }],
  ['is too large for a document', { metadata: { motto: 'x'.repeat(16_800_000) } }],
])('a document that %s fails alone, and the others of its bulk are written', async (_, more) => {
  const client = await mongo.MongoClient.connect(urlOf('replica set'));
  const collections = collectionsOf(client.db());
  const databaseNow = () => '$$NOW' as const;
  const writable = await startWritable(collections, client, createSystemClock(), databaseNow);
  try {
    const options = { client, db: client.db(), collections, writable: writable.period, databaseNow };
    const writer = createWriter(options);
    const says = readDocument({ ...documentNamed('a') }) as ReadInstance;
    const documents = [documentNamed('a'), documentNamed('b', more), documentNamed('c')];
    const outcomes = await Promise.allSettled(
      documents.map((document) =>
        writer.write([{ kind: 'insert-instance', document, says }], { write: document._id as string, at: 1 }),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const kept = await collections.services.find().sort({ _id: 1 }).toArray();
    expect(kept.map(({ _id }) => _id)).toEqual(['a', 'c']);
  } finally {
    await writable.close();
    await client.close();
  }
});
