// Opens the connection, and asks what kind of server is there.
import mongoose, { type Connection, type mongo } from 'mongoose';
import type { Database } from './database.ts';
import { lenient } from './document-bytes.ts';
import { checkVersion } from './start-fault.ts';
import { parseStoreUrl } from './store-url.ts';
import { writeConcern } from './writer.ts';

const startWithinMs = 10_000;
/** A member that stands still says nothing, and its connections stay open: it counts as gone after the sum of both. */
const askedEveryMs = 2_000;
const answersWithinMs = 3_000;
/** Nothing passes over a connection for so long, and it counts as dead: to find one's place in a long history takes its time. */
const silentForMs = 30_000;

/** What the server calls our connections. */
export const appName = 'reg';

export interface Connected {
  readonly connection: Connection;
  readonly db: mongo.Db;
  readonly kind: Database['kind'];
}

/** @throws what the driver says, where no database answers within 10 s; `invalid_request` for the URL; `store_unavailable` for one that is too old */
export async function connect(url: string, signal?: AbortSignal): Promise<Connected> {
  parseStoreUrl(url);
  const opening = mongoose.createConnection(url, {
    appName,
    serverSelectionTimeoutMS: startWithinMs,
    heartbeatFrequencyMS: askedEveryMs,
    connectTimeoutMS: answersWithinMs,
    socketTimeoutMS: silentForMs,
    // Whatever the URL has of these: no other would do, and each would win over its like below.
    readPreference: 'primary',
    readConcernLevel: 'majority',
    journal: true,
    writeConcern,
    readConcern: { level: 'majority' },
    maxPoolSize: 20,
    localThresholdMS: 0, // of several routers the nearest: the cursor over the changes is at one
    // What people put into documents is judged one document at a time, and ends no stream.
    enableUtf8Validation: false,
    ...lenient,
  });
  const connection = await unlessAborted(opening, signal);
  const { db } = connection;
  if (db === undefined) throw new TypeError('the connection is not open');
  try {
    const hello = await db.command({ hello: 1 });
    const { version } = await db.command({ buildInfo: 1 });
    checkVersion({ version, maxWireVersion: hello.maxWireVersion });
    return { connection, db, kind: kindOf(hello) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** mongoose waits for the outcome before it closes; the client under it gives up at once. */
async function unlessAborted(opening: Connection, signal: AbortSignal | undefined): Promise<Connection> {
  const giveUp = () => void opening.getClient()?.close();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    return await opening.asPromise();
  } catch (error) {
    await opening.destroy(); // mongoose has a list of all that it ever opened, and who is away is tried for days
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** A router in front of a sharded cluster has change streams and transactions too. */
function kindOf({ setName, msg, isreplicaset }: mongo.Document): Database['kind'] {
  if (setName !== undefined || msg === 'isdbgrid') return 'replica set';
  if (isreplicaset) throw new Error('the database is a member of a replica set that was never initiated');
  return 'standalone';
}
