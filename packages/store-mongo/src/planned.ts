// What this registry is about to write, so that it need not read its own documents again when the changes
// tell of them: checking a document costs more than all else that is done with it.
import type { ServiceDocument } from './documents.ts';
import { idText, type ReadInstance, writeIn } from './instance-document.ts';
import type { Operation } from './plan.ts';

type RawDocument = Readonly<Record<string, unknown>>;

export interface Planned {
  expect(write: string, operations: readonly Operation[]): void;
  /**
   * What the document says, where it is as we wrote it. Once: whoever changes it by hand afterwards leaves
   * the name of our write in it.
   */
  take(document: RawDocument): ReadInstance | undefined;
  /** The document itself, once: the first event that names the write tells of it, the next ones of whoever edited it. */
  documentOf(write: string): ServiceDocument | undefined;
  /** The write is over, however it ended. */
  forget(write: string): void;
}

export function createPlanned(): Planned {
  const expected = new Map<
    string,
    { readonly document: ServiceDocument; readonly says: ReadInstance; isTold: boolean }
  >();
  return {
    expect(write, operations) {
      for (const operation of operations) {
        if (operation.kind !== 'insert-instance' && operation.kind !== 'replace-instance') continue;
        const { document, says } = operation;
        expected.set(write, { document, says, isTold: false });
      }
    },
    take(document) {
      const write = writeIn(document);
      if (write === undefined) return undefined;
      const known = expected.get(write);
      if (known === undefined) return undefined;
      if (idText(known.document._id) !== idText(document._id)) return undefined;
      expected.delete(write);
      return known.says;
    },
    documentOf(write) {
      const known = expected.get(write);
      if (known === undefined || known.isTold) return undefined;
      known.isTold = true;
      return known.document;
    },
    forget(write) {
      expected.delete(write);
    },
  };
}
