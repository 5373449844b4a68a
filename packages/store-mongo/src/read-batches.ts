import { setImmediate as nextTurn } from 'node:timers/promises';

/** So few that a batch is done with before the collector of young objects has to keep it. */
export const batchSize = 1_000;

/** What a cursor of the driver has. */
export interface Batches<Document> {
  hasNext(): Promise<boolean>;
  readBufferedDocuments(): Document[];
}

/** All documents, one batch while the next one is on its way; everybody else has a turn between. */
export async function readBatches<Document>(
  cursor: Batches<Document>,
  take: (document: Document) => void,
): Promise<void> {
  async function takeAll(batch: readonly Document[]): Promise<void> {
    await nextTurn(); // so that the next one is asked for
    for (const document of batch) take(document);
  }
  while (await cursor.hasNext()) {
    await Promise.all([takeAll(cursor.readBufferedDocuments()), cursor.hasNext()]);
  }
}
