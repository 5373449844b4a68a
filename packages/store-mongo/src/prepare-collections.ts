import { regError } from '@reg/schema';
import { type Connection, mongo } from 'mongoose';
import { type CollectionName, followed, schemas } from './documents.ts';
import { findIndexFaults } from './structure.ts';

/** Codes of the server: IndexOptionsConflict and IndexKeySpecsConflict. */
const indexConflicts = new Set<unknown>([85, 86]);

/**
 * Makes the collections and indexes that are not there yet.
 * @param options.changeStream with what was there before and after each change, which no standalone server keeps
 * @throws `store_unavailable` where an index is there that is another one than it must be; what the database says
 */
export async function prepareCollections(
  connection: Connection,
  { changeStream }: { readonly changeStream: boolean },
): Promise<void> {
  for (const [name, schema] of Object.entries(schemas)) {
    const model = connection.model(name, schema, name);
    await model.createCollection();
    await model.createIndexes().catch((cause: unknown) => refuse(connection, name as CollectionName, cause));
  }
  if (!changeStream) return;
  for (const collMod of followed) {
    await connection.db?.command({ collMod, changeStreamPreAndPostImages: { enabled: true } });
  }
}

/** @returns where the index is what it must be, and only has another name */
async function refuse({ db }: Connection, collection: CollectionName, cause: unknown): Promise<void> {
  if (!db || !(cause instanceof mongo.MongoServerError) || !indexConflicts.has(cause.code)) throw cause;
  const [fault] = await findIndexFaults(db, collection);
  if (!fault) return;
  const what = `${fault.path} of ${collection} in the database ${db.databaseName}: ${fault.message}`;
  throw regError('store_unavailable', `${what}; drop it, and the registry makes its own`, { cause });
}
