// All documents as they were at one moment of the cluster (read concern `snapshot`), so that nothing falls
// between them and the changes that are followed from that moment.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import type { Everything } from './database.ts';
import type { DefinitionDocument, TombstoneDocument } from './documents.ts';
import { createServiceReader } from './instance-document.ts';

interface EverythingRead extends Omit<Everything, 'epoch' | 'revision'> {
  readonly atClusterTime: mongo.Timestamp;
}

/** So few that a batch is done with before the collector of young objects has to keep it. */
const batchSize = 1_000;

export async function readEverything(database: mongo.Db): Promise<EverythingRead> {
  const moment = await database.command({ find: 'state', limit: 1, readConcern: { level: 'snapshot' } });
  const atClusterTime: mongo.Timestamp = moment.cursor.atClusterTime;
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

/** What one batch says is read while the next one is on its way, and everybody else has a turn between. */
async function readAll<Read>(
  cursor: mongo.RunCommandCursor,
  read: (document: mongo.Document) => Read,
): Promise<readonly Read[]> {
  const all: Read[] = [];
  async function take(batch: readonly mongo.Document[]): Promise<void> {
    await nextTurn();
    for (const document of batch) all.push(read(document));
  }
  while (await cursor.hasNext()) {
    await Promise.all([take(cursor.readBufferedDocuments()), cursor.hasNext()]);
  }
  return all;
}
