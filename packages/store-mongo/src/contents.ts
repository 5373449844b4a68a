// What a collection held when it was last looked at: a hash per document, so that a hand edit is found by
// comparing. Bounded by the number of documents, not by their size.
import { hash } from 'node:crypto';
import { mongo } from 'mongoose';
import { readDocumentBytes } from './document-bytes.ts';
import { idText } from './instance-document.ts';
import { type Batches, batchSize, readBatches } from './read-batches.ts';

type RawDocument = Readonly<Record<string, unknown>>;

interface Found<Id> {
  readonly id: Id;
  /** Undefined: it is gone. */
  readonly document: RawDocument | undefined;
}

export interface Contents<Id> {
  /** Forgets all and reads all. */
  load<Read>(read: (document: RawDocument) => Read): Promise<Read[]>;
  /** This registry left it so. @returns it as the database gives it back */
  note(id: Id, document: object | undefined): RawDocument | undefined;
  /** This registry left it so, as the database gave it back. */
  noteBytes(bytes: Uint8Array): RawDocument;
  /** Reads all, and tells nothing yet. @returns what else changed than was noted since: first what is gone */
  look(): Promise<() => readonly Found<Id>[]>;
}

/** A collection whose documents are read as bytes. */
interface Readable {
  find(filter: object, options: { raw: true; batchSize: number }): Batches<unknown>;
}

/** Two go on at once; one that failed is never told of. */
const looksAtMost = 8;

export function createContents<Id>(collection: Readable): Contents<Id> {
  const entries = new Map<string, Id>();
  const hashes = new Map<string, string>();
  /** Noted since each look that goes on began: what it read of these may be older. */
  let looks: Set<string>[] = [];

  function put(id: Id, bytes: Uint8Array): void {
    drop(id);
    const key = hashOf(bytes);
    hashes.set(idText(id), key);
    entries.set(key, id);
  }

  function drop(id: Id): void {
    const key = hashes.get(idText(id));
    if (key === undefined) return;
    hashes.delete(idText(id));
    entries.delete(key);
  }

  function noted(id: Id): void {
    for (const since of looks) since.add(idText(id));
  }

  const readRaw = (take: (bytes: Uint8Array) => void) =>
    readBatches(collection.find({}, { raw: true, batchSize }), (raw: unknown) => take(raw as Uint8Array));

  return {
    async load(read) {
      entries.clear();
      hashes.clear();
      const documents: ReturnType<typeof read>[] = [];
      await readRaw((bytes) => {
        const document = readDocumentBytes(bytes);
        put(document._id as Id, bytes);
        documents.push(read(document));
      });
      return documents;
    },
    note(id, document) {
      noted(id);
      if (document === undefined) {
        drop(id);
        return undefined;
      }
      const bytes = mongo.BSON.serialize(document);
      put(id, bytes);
      return readDocumentBytes(bytes);
    },
    noteBytes(bytes) {
      const document = readDocumentBytes(bytes);
      const id = document._id as Id;
      noted(id);
      put(id, bytes);
      return document;
    },
    async look() {
      const since = new Set<string>();
      looks = [...looks.slice(1 - looksAtMost), since];
      const found = new Set<string>();
      const changed: { id: Id; bytes: Uint8Array; document: RawDocument }[] = [];
      await readRaw((bytes) => {
        const key = hashOf(bytes);
        if (entries.has(key)) {
          found.add(key);
          return;
        }
        const document = readDocumentBytes(bytes);
        changed.push({ id: document._id as Id, bytes, document });
      });
      return () => {
        if (!looks.includes(since)) throw new Error('others have looked since: look again');
        looks = looks.filter((one) => one !== since);
        const there = new Set(changed.map(({ id }) => idText(id)));
        const gone = [...entries]
          .filter(([key, id]) => !found.has(key) && !there.has(idText(id)) && !since.has(idText(id)))
          .map(([, id]) => id);
        const others = changed.filter(({ id }) => !since.has(idText(id)));
        for (const id of gone) drop(id);
        for (const { id, bytes } of others) put(id, bytes);
        for (const id of [...gone, ...others.map((one) => one.id)]) noted(id);
        return [
          ...gone.map((id) => ({ id, document: undefined })),
          ...others.map(({ id, document }) => ({ id, document })),
        ];
      };
    },
  };
}

const hashOf = (bytes: Uint8Array): string => hash('sha256', bytes, 'base64');
