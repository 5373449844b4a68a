// All documents as they were at one moment of the cluster (read concern `snapshot`), so that nothing falls
// between them and the changes that are followed from that moment.
import type { mongo } from 'mongoose';
import type { Everything } from './database.ts';
import type { DefinitionDocument, TombstoneDocument } from './documents.ts';
import { createServiceReader } from './instance-document.ts';
import { batchSize, readBatches } from './read-batches.ts';

interface EverythingRead extends Omit<Everything, 'epoch' | 'revision'> {
  readonly atClusterTime: mongo.Timestamp;
}

export async function readEverything(database: mongo.Db): Promise<EverythingRead> {
  const moment = await database.command({ find: 'state', limit: 1, readConcern: { level: 'snapshot' } });
  // Where there is no `state`, in a database that no registry was at yet, no moment is told with its documents.
  const atClusterTime: mongo.Timestamp = moment.cursor.atClusterTime ?? moment.operationTime;
  const readConcern = { level: 'snapshot', atClusterTime };
  const open = (find: string) =>
    database.runCursorCommand({ find, batchSize, readConcern }).setBatchSize(batchSize);

  const [services, definitions, tombstones] = await Promise.all([
    readAll(open('services'), createServiceReader()),
    readAll(open('definitions'), (document) => document as unknown as DefinitionDocument),
    readAll(open('tombstones'), (document) => document as unknown as TombstoneDocument),
  ]);
  return { atClusterTime, services, definitions, tombstones };
}

async function readAll<Read>(
  cursor: mongo.RunCommandCursor,
  read: (document: mongo.Document) => Read,
): Promise<readonly Read[]> {
  const all: Read[] = [];
  await readBatches(cursor, (document: mongo.Document) => all.push(read(document)));
  return all;
}
