// What a registry knows of the documents beside what its view says: where each instance is kept, who last wrote
// each definition, and what is left alone.
import { type InstanceKey, instanceKey } from '@reg/registry';
import type { DocumentId } from './documents.ts';
import { idText, type ReadInstance } from './instance-document.ts';
import { createInvalidDocuments, type InvalidDocuments } from './invalid-documents.ts';

/** Where an instance is kept. */
export interface KeptDocument {
  readonly id: DocumentId;
  /** Undefined: inserted by hand. */
  readonly write: string | undefined;
}

/** A well-formed document that is not listed, or not as it says, until what hinders it goes. */
export interface Waiting {
  readonly id: DocumentId;
  readonly read: ReadInstance;
}

export interface Books {
  readonly documents: Map<string, KeptDocument & { readonly key: InstanceKey }>;
  readonly idOf: Map<InstanceKey, string>;
  /** Null: what is there names no write of a registry. */
  readonly definitionWrites: Map<string, string | null>;
  readonly invalid: InvalidDocuments;
  readonly waiting: Map<string, Waiting>;
  /** Documents that are not listed: by which write a registry left them so, if one did. */
  readonly leftAlone: Map<string, KeptDocument>;
  keep(id: DocumentId, read: ReadInstance): void;
  /** @returns whose document it was */
  forget(id: DocumentId): InstanceKey | undefined;
  /** Whatever was said against it before counts no more. */
  settle(id: DocumentId): void;
  /** Not listed from here on, until it is settled. */
  leaveAlone(id: DocumentId, write: string | undefined): void;
  /** Very many do not wait: they are judged anew when they are edited, or at a restart. */
  wait(id: DocumentId, read: ReadInstance): void;
  clear(): void;
}

export const waitingAtMost = 1_000;

export function createBooks(): Books {
  const documents: Books['documents'] = new Map();
  const idOf: Books['idOf'] = new Map();
  const definitionWrites: Books['definitionWrites'] = new Map();
  const invalid = createInvalidDocuments();
  const waiting: Books['waiting'] = new Map();
  const leftAlone: Books['leftAlone'] = new Map();
  return {
    documents,
    idOf,
    definitionWrites,
    invalid,
    waiting,
    leftAlone,
    keep(id, read) {
      const text = idText(id);
      const key = keyOf(read);
      documents.set(text, { id, write: read.notes?.write, key });
      idOf.set(key, text);
    },
    forget(id) {
      const text = idText(id);
      const kept = documents.get(text);
      documents.delete(text);
      if (kept) idOf.delete(kept.key);
      return kept?.key;
    },
    settle(id) {
      invalid.forget(idText(id));
      waiting.delete(idText(id));
      leftAlone.delete(idText(id));
    },
    leaveAlone(id, write) {
      leftAlone.set(idText(id), { id, write });
    },
    wait(id, read) {
      if (waiting.size < waitingAtMost) waiting.set(idText(id), { id, read });
    },
    clear() {
      for (const map of [documents, idOf, definitionWrites, invalid, waiting, leftAlone]) map.clear();
    },
  };
}

export const keyOf = ({ definition, instance }: ReadInstance) =>
  instanceKey({ service: definition.name, id: instance.instanceId });
