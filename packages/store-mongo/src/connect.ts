// Opens the connection, and asks what kind of server is there.
import mongoose, { type Connection, type mongo } from 'mongoose';
import type { Database } from './database.ts';
import { writeConcern } from './writer.ts';

const startWithinMs = 10_000;
/** A member that stands still says nothing, and its connections stay open: it counts as gone after the sum of both. */
const askedEveryMs = 2_000;
const answersWithinMs = 3_000;

export interface Connected {
  readonly connection: Connection;
  readonly db: mongo.Db;
  readonly kind: Database['kind'];
}

/** @throws what the driver says where no database answers within 10 s */
export async function connect(url: string): Promise<Connected> {
  const connection = await mongoose
    .createConnection(url, {
      appName: 'reg',
      serverSelectionTimeoutMS: startWithinMs,
      heartbeatFrequencyMS: askedEveryMs,
      connectTimeoutMS: answersWithinMs,
      writeConcern,
      readConcern: { level: 'majority' },
      maxPoolSize: 20,
      // What people put into documents is judged one document at a time, and ends no stream.
      enableUtf8Validation: false,
      ...(namesDatabase(url) ? {} : { dbName: 'reg' }),
    })
    .asPromise();
  const { db } = connection;
  if (db === undefined) throw new TypeError('the connection is not open');
  try {
    return { connection, db, kind: kindOf(await db.command({ hello: 1 })) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** No URL for a parser of URLs, where it names several hosts. */
function namesDatabase(url: string): boolean {
  return /^[^/]+:\/\/[^/]+\/[^?]/.test(url);
}

/** A router in front of a sharded cluster has change streams and transactions too. */
function kindOf({ setName, msg, isreplicaset }: mongo.Document): Database['kind'] {
  if (setName !== undefined || msg === 'isdbgrid') return 'replica set';
  if (isreplicaset) throw new Error('the database is a member of a replica set that was never initiated');
  return 'standalone';
}
