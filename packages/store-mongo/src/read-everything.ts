// All documents as they were at one moment of the cluster (read concern `snapshot`), so that nothing falls
// between them and the changes that are followed from that moment.
import type { mongo } from 'mongoose';
import type { Everything } from './database.ts';

interface EverythingRead extends Omit<Everything, 'epoch' | 'revision'> {
  readonly atClusterTime: mongo.Timestamp;
}

const batchSize = 5_000;

export async function readEverything(database: mongo.Db): Promise<EverythingRead> {
  const moment = await database.command({ find: 'state', limit: 1, readConcern: { level: 'snapshot' } });
  const atClusterTime: mongo.Timestamp = moment.cursor.atClusterTime;
  const readConcern = { level: 'snapshot', atClusterTime };

  async function all<Document>(find: string): Promise<readonly Document[]> {
    const cursor = database.runCursorCommand({ find, batchSize, readConcern });
    cursor.setBatchSize(batchSize);
    return (await cursor.toArray()) as readonly Document[];
  }

  return {
    atClusterTime,
    services: await all('services'),
    definitions: await all('definitions'),
    tombstones: await all('tombstones'),
  };
}
