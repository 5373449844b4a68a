// Reads a whole database and changes nothing: what is in it that a registry would leave alone, or that does not
// agree with itself, and which collections and indexes lack or are not as they must be.
import { createView } from '@reg/registry';
import type { mongo } from 'mongoose';
import { connect } from './connect.ts';
import type { Everything } from './database.ts';
import { readDocumentBytes } from './document-bytes.ts';
import { collectionsOf, type DefinitionDocument } from './documents.ts';
import { type Finding, findInconsistencies } from './inconsistencies.ts';
import { createServiceReader } from './instance-document.ts';
import { createMirror } from './mirror.ts';
import { readEverything } from './read-everything.ts';
import { startFault } from './start-fault.ts';
import { findStructureFaults } from './structure.ts';
import { readTombstone } from './tombstone-document.ts';

export interface Verified {
  /** Documents that were read. */
  readonly counts: Readonly<Record<'services' | 'definitions' | 'leases' | 'tombstones', number>>;
  readonly findings: readonly Finding[];
}

type Documents = Pick<Everything, 'services' | 'definitions' | 'tombstones'>;

/** It takes no lock and writes nothing, so it may run beside any registry. @throws as `openMongoStore` does */
export async function verifyMongoStore(url: string): Promise<Verified> {
  let close = async () => {};
  try {
    const { connection, db, kind } = await connect(url);
    close = () => connection.close();
    const documents = kind === 'standalone' ? await readOneByOne(db) : await readEverything(db);
    const leases = await collectionsOf(db).leases.estimatedDocumentCount();
    const { services, definitions, tombstones } = documents;
    return {
      counts: {
        services: services.length,
        definitions: definitions.length,
        leases,
        tombstones: tombstones.length,
      },
      findings: [...(await findStructureFaults(db, kind)), ...findingsIn(documents)],
    };
  } catch (cause) {
    throw startFault(cause, url);
  } finally {
    await close();
  }
}

/** No moment is shared there: what a registry writes meanwhile may look half done. */
async function readOneByOne(db: mongo.Db): Promise<Documents> {
  const all = async (name: string) => {
    const found: unknown[] = await db.collection(name).find({}, { raw: true }).toArray();
    return found.map((bytes) => readDocumentBytes(bytes as Uint8Array));
  };
  return {
    services: (await all('services')).map(createServiceReader()),
    definitions: (await all('definitions')) as unknown as readonly DefinitionDocument[],
    tombstones: (await all('tombstones')).map(readTombstone).filter((one) => one !== undefined),
  };
}

function findingsIn(documents: Documents): Finding[] {
  const { definitions } = documents;
  const mirror = createMirror(createView({ epoch: '', revision: 0 }));
  const { view, undefinedServices } = mirror.load(documents, 0);
  const instances = [...view.services].flatMap(([service, known]) =>
    [...known.instances.values()].map((instance) => ({ service, instance })),
  );
  return [
    ...mirror.invalid().map((fault): Finding => ({ collection: 'services', ...fault })),
    ...findInconsistencies({ instances, undefinedServices, definitions }),
  ];
}
