// What a standalone server holds, as this registry has seen it: its own writes make the events that a change
// stream would tell, and a look at everything finds what others did by hand.
import { createContents } from './contents.ts';
import type { Everything } from './database.ts';
import type { Collections, DefinitionDocument, DocumentId } from './documents.ts';
import { createServiceReader, nameText } from './instance-document.ts';
import type { DocumentEvent } from './mirror.ts';
import type { Operation } from './plan.ts';

type RawDocument = Readonly<Record<string, unknown>>;

export interface SeenDocuments {
  load(): Promise<Pick<Everything, 'services' | 'definitions'>>;
  /** @returns call it in a turn of one's own: what changed since it was seen or written here */
  look(): Promise<() => readonly DocumentEvent[]>;
  /** After the operations were carried out. */
  eventsOf(operations: readonly Operation[]): Promise<readonly DocumentEvent[]>;
}

export function createSeenDocuments(collections: Collections): SeenDocuments {
  const services = createContents<DocumentId>(collections.services);
  const definitions = createContents<unknown>(collections.definitions);

  function servicePut(id: DocumentId, document: object | undefined): DocumentEvent {
    return { collection: 'services', id, document: services.note(id, document) };
  }

  function definitionPut(id: string, document: DefinitionDocument | undefined): DocumentEvent {
    return definitionEvent(id, definitions.note(id, document));
  }

  async function eventsOfOne(operation: Operation): Promise<readonly DocumentEvent[]> {
    switch (operation.kind) {
      case 'insert-instance':
      case 'replace-instance':
        return [servicePut(operation.document._id, operation.document)];
      case 'delete-instance':
        return [servicePut(operation.before.id, undefined)];
      case 'insert-definition':
      case 'replace-definition':
        return [definitionPut(operation.document._id, operation.document)];
      case 'delete-definition':
        return [definitionPut(operation.name, undefined)];
      case 'share': {
        const { name } = operation.definition;
        const shared: unknown[] = await collections.services.find({ name }, { raw: true }).toArray();
        return shared.map((bytes) => {
          const document = services.noteBytes(bytes as Uint8Array);
          return { collection: 'services', id: document._id as DocumentId, document };
        });
      }
      case 'bury':
        return [{ collection: 'tombstones', document: operation.tombstone }];
      case 'free-names':
      case 'end-lease':
        return [];
    }
  }

  return {
    async load() {
      return {
        services: await services.load(createServiceReader()),
        definitions: await definitions.load((document) => document as unknown as DefinitionDocument),
      };
    },
    async look() {
      const [ofDefinitions, ofServices] = [await definitions.look(), await services.look()];
      return () => [
        ...ofDefinitions().map(({ id, document }) => definitionEvent(nameText(id), document)),
        ...ofServices().map(({ id, document }) => ({ collection: 'services' as const, id, document })),
      ];
    },
    async eventsOf(operations) {
      const events: DocumentEvent[] = [];
      for (const operation of operations) events.push(...(await eventsOfOne(operation)));
      return events;
    },
  };
}

function definitionEvent(id: string, document: RawDocument | undefined): DocumentEvent {
  return { collection: 'definitions', id, document: document as unknown as DefinitionDocument | undefined };
}
