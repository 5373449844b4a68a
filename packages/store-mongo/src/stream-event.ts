// An event of a change stream, out of its bytes.
import type { mongo } from 'mongoose';
import { hasLong, textAt, timestampAt } from './bson-path.ts';
import { readDocumentBytes } from './document-bytes.ts';
import type { ServiceDocument } from './documents.ts';

/** As the server tells it. https://www.mongodb.com/docs/manual/reference/change-events/ */
export interface StreamEvent {
  readonly operationType: string;
  /** Seconds since 1970, and a counter within the second. */
  readonly clusterTime: Pick<mongo.Timestamp, 'high' | 'low'>;
  readonly ns?: { readonly coll?: string };
  readonly documentKey?: { readonly _id: unknown };
  /** As it was then; null where it is not kept any more. */
  readonly fullDocument?: Readonly<Record<string, unknown>> | null;
  /** With `txnNumber`: the transaction that it is of. */
  readonly lsid?: { readonly id: { toString(): string } };
  readonly txnNumber?: unknown;
}

/** What this registry is writing, by the name of the write. */
export type OwnDocument = (write: string) => ServiceDocument | undefined;

/**
 * Of a document that this registry wrote, nothing is read but that it is that one: reading all of it cost a
 * quarter of the memory that a registration takes.
 */
export function readEvent(event: Uint8Array, ownDocument: OwnDocument): StreamEvent {
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.byteLength);
  return ownEvent(bytes, ownDocument) ?? (readDocumentBytes(bytes) as unknown as StreamEvent);
}

function ownEvent(bytes: Buffer, ownDocument: OwnDocument): StreamEvent | undefined {
  const write = textAt(bytes, 'fullDocument', 'reg', 'write');
  const fullDocument = write === undefined ? undefined : ownDocument(write);
  if (!fullDocument || hasLong(bytes, 'txnNumber')) return undefined;
  const operationType = textAt(bytes, 'operationType');
  const clusterTime = timestampAt(bytes, 'clusterTime');
  const coll = textAt(bytes, 'ns', 'coll');
  const _id = textAt(bytes, 'documentKey', '_id');
  if (!operationType || !clusterTime || coll !== 'services' || _id !== fullDocument._id) return undefined;
  return {
    operationType,
    clusterTime,
    ns: { coll },
    documentKey: { _id },
    fullDocument: fullDocument as ServiceDocument & Record<string, unknown>,
  };
}
