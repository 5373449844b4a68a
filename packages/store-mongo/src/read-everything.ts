// All documents as they were at one moment of the cluster (read concern `snapshot`), so that nothing falls
// between them and the changes that are followed from that moment.
import type { mongo } from 'mongoose';
import type { Everything } from './database.ts';
import { readDocumentBytes } from './document-bytes.ts';
import type { DefinitionDocument } from './documents.ts';
import { createServiceReader } from './instance-document.ts';
import { batchSize, readBatches } from './read-batches.ts';
import { readTombstone } from './tombstone-document.ts';

interface EverythingRead extends Omit<Everything, 'epoch' | 'revision'> {
  readonly atClusterTime: mongo.Timestamp;
}

export async function readEverything(database: mongo.Db): Promise<EverythingRead> {
  const moment = await database.command({ find: 'state', limit: 1, readConcern: { level: 'snapshot' } });
  // Where there is no `state`, in a database that no registry was at yet, no moment is told with its documents.
  const atClusterTime: mongo.Timestamp = moment.cursor.atClusterTime ?? moment.operationTime;
  const readConcern = { level: 'snapshot', atClusterTime };
  const open = (find: string) =>
    database.runCursorCommand({ find, batchSize, readConcern }, { raw: true }).setBatchSize(batchSize);

  const [services, definitions, tombstones] = await Promise.all([
    readAll(open('services'), createServiceReader()),
    readAll(open('definitions'), (document) => document as unknown as DefinitionDocument),
    readAll(open('tombstones'), readTombstone),
  ]);
  return { atClusterTime, services, definitions, tombstones: tombstones.filter((one) => one !== undefined) };
}

async function readAll<Read>(
  cursor: mongo.RunCommandCursor,
  read: (document: Readonly<Record<string, unknown>>) => Read,
): Promise<readonly Read[]> {
  const all: Read[] = [];
  await readBatches(cursor, (bytes: unknown) => all.push(read(readDocumentBytes(bytes as Uint8Array))));
  return all;
}
