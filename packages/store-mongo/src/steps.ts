// Cuts what a change stream tells into steps: a transaction is one, and so is whatever else happened at one moment of
// the cluster, since a step's revision is its moment. The same way in every registry, however the server cut it.
import type { Origin } from '@reg/registry';
import type { Note } from '@reg/schema';
import type { Step, StepPart } from './database.ts';
import type { DefinitionDocument, DocumentId } from './documents.ts';
import { readNotes } from './history-document.ts';
import { nameText } from './instance-document.ts';
import type { DocumentEvent } from './mirror.ts';
import { revisionOf } from './revision.ts';
import type { StreamEvent } from './stream-event.ts';
import { readTombstone } from './tombstone-document.ts';

export interface FeedStep extends Step {
  /** Whose barrier moved, if it is one. */
  readonly barrier: string | undefined;
}

export interface Steps {
  take(event: StreamEvent): void;
  /** @param isFull the server may have cut it anywhere: what comes next may belong to what came last */
  endBatch(batch: { readonly isEmpty: boolean; readonly isFull: boolean }): void;
}

interface Pending {
  readonly revision: number;
  readonly parts: [StreamEvent[], ...StreamEvent[][]];
  /** That of the last part. */
  transaction: string | undefined;
}

/** @param onLate told instead of a step: one of its revision was told already */
export function createSteps(onStep: (step: FeedStep) => void, onLate: () => void): Steps {
  let pending: Pending | undefined;
  let told: number | undefined;

  function flush(): void {
    if (!pending) return;
    const { revision, parts } = pending;
    pending = undefined;
    if (revision === told) {
      onLate();
      return;
    }
    told = revision;
    onStep(toStep(revision, parts));
  }

  return {
    take(event) {
      const transaction = transactionOf(event);
      const revision = revisionOf(event.clusterTime);
      const continues = transaction !== undefined && pending?.transaction === transaction;
      if (pending && !continues && pending.revision !== revision) flush();
      if (!pending) pending = { revision, parts: [[event]], transaction };
      else if (continues) pending.parts.at(-1)?.push(event);
      // Since 8.0 all documents of one `insert` have one moment, as ever those of several shards may have.
      else {
        pending.parts.push([event]);
        pending.transaction = transaction;
      }
      if (transaction !== undefined && event.ns?.coll === 'writes') flush();
    },
    endBatch({ isEmpty, isFull }) {
      // Somebody's own transaction has no last document of ours: it is whole when nothing more is there.
      if (isEmpty || (!isFull && pending?.transaction === undefined)) flush();
    },
  };
}

function transactionOf({ lsid, txnNumber }: StreamEvent): string | undefined {
  return txnNumber === undefined || lsid === undefined
    ? undefined
    : `${String(lsid.id)} ${String(txnNumber)}`;
}

function toStep(revision: number, parts: Pending['parts']): FeedStep {
  let barrier: string | undefined;
  for (const part of parts) for (const event of part) barrier = barrierIn(event) ?? barrier;
  return { revision, parts: parts.map(toPart), barrier };
}

function barrierIn({ ns, fullDocument }: StreamEvent): string | undefined {
  if (ns?.coll !== 'state') return undefined;
  const { by } = (fullDocument ?? {}) as { by?: unknown };
  return typeof by === 'string' ? by : undefined;
}

function toPart(events: readonly StreamEvent[]): StepPart {
  let at: number | undefined;
  let write: string | undefined;
  let origin: Origin = {};
  let notes: readonly Note[] | undefined;
  const documents: DocumentEvent[] = [];
  for (const { ns, operationType, documentKey, fullDocument } of events) {
    const id = documentKey?._id;
    const document = operationType === 'delete' ? undefined : (fullDocument ?? undefined);
    switch (ns?.coll) {
      case 'services':
        documents.push({ collection: 'services', id: id as DocumentId, document });
        at ??= timeIn(document?.reg);
        origin = originIn(document?.reg, origin);
        break;
      case 'definitions':
        documents.push({
          collection: 'definitions',
          id: nameText(id),
          document: document as DefinitionDocument | undefined,
        });
        at ??= timeIn(document);
        origin = originIn(document, origin);
        break;
      case 'tombstones': {
        const tombstone = document && readTombstone(document);
        if (tombstone) documents.push({ collection: 'tombstones', document: tombstone });
        break;
      }
      case 'writes':
        write = typeof id === 'string' ? id : undefined;
        at = timeIn(document);
        notes = readNotes(document?.notes);
        origin = originIn(document, {});
    }
  }
  return { events: documents, at, write, origin, notes };
}

function timeIn(document: unknown): number | undefined {
  const { at } = (document ?? {}) as { at?: unknown };
  return Number.isSafeInteger(at) ? (at as number) : undefined;
}

/** Anybody may have edited the document: what is no text says nothing. */
function originIn(document: unknown, otherwise: Origin): Origin {
  const { by, from } = (document ?? {}) as { by?: unknown; from?: unknown };
  if (typeof by !== 'string' && typeof from !== 'string') return otherwise;
  return { ...(typeof by === 'string' && { by }), ...(typeof from === 'string' && { from }) };
}
