import { mongo } from 'mongoose';

interface Stats {
  readonly latencyStats: { readonly writes: { readonly ops: mongo.Long | number } };
  readonly count: number;
}

/** Code of the server. */
const namespaceNotFound = 26;

/**
 * Another text once anybody wrote to what people edit, even where that changed nothing, and once the server or a
 * collection is another one. The server counts a write when it is done: whoever reads the documents after this
 * text reads all that it counted.
 */
export async function writeCounts(db: mongo.Db): Promise<string> {
  const [{ topologyVersion }, services, definitions] = await Promise.all([
    db.command({ hello: 1 }), // from another process the counts begin at 0
    countsOf(db, 'services'),
    countsOf(db, 'definitions'),
  ]);
  return `${topologyVersion?.processId} ${services} ${definitions}`;
}

async function countsOf(db: mongo.Db, collection: 'services' | 'definitions'): Promise<string> {
  const pipeline = [{ $collStats: { latencyStats: {}, count: {} } }];
  try {
    const [stats] = await db
      .collection(collection)
      .aggregate<Stats>(pipeline, { readConcern: { level: 'local' } })
      .toArray();
    return `${stats?.latencyStats.writes.ops} ${stats?.count}`;
  } catch (error) {
    if (error instanceof mongo.MongoServerError && error.code === namespaceNotFound) return 'dropped';
    throw error;
  }
}
