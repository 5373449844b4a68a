// What the documents mean: every registry reads the same changes in the same order, and comes to the same
// view by the rules here. A document that means nothing is reported and left alone.
import {
  createView,
  differingFields,
  goneBy,
  type InstanceKey,
  instanceKey,
  type KeptState,
  type Lease,
  type View,
} from '@reg/registry';
import type { Change } from '@reg/schema';
import { createBooks, type KeptDocument, keyOf, type Waiting } from './books.ts';
import type { Everything } from './database.ts';
import { definitionWriteOf } from './definition-document.ts';
import type { DefinitionDocument, DocumentId, TombstoneDocument } from './documents.ts';
import { outlived } from './hindrances.ts';
import { idText, isFault, nameText, type ReadInstance, type ReadService } from './instance-document.ts';
import { createInterpreter, healing, type Meaning, type Refused } from './interpreter.ts';
import type { InvalidDocument } from './invalid-documents.ts';

type RawDocument = Readonly<Record<string, unknown>>;

/** One document as it was left, or that it went. */
export type DocumentEvent =
  | { readonly collection: 'services'; readonly id: DocumentId; readonly document: RawDocument | undefined }
  | {
      readonly collection: 'definitions';
      readonly id: string;
      readonly document: DefinitionDocument | undefined;
    }
  | { readonly collection: 'tombstones'; readonly document: TombstoneDocument };

export interface Mirror {
  documentOf(key: InstanceKey): KeptDocument | undefined;
  /** What is under that `_id` and not listed, whatever it says. */
  leftAlone(id: string): KeptDocument | undefined;
  /** Whose the document of that `_id` is, as it is listed. */
  holderOf(id: string): InstanceKey | undefined;
  /** Undefined: nothing is written down of it; null: nothing that a registry wrote. */
  definitionWrite(service: string): string | null | undefined;
  /** Documents that are left alone; the oldest reports of very many. */
  invalid(): readonly InvalidDocument[];
  invalidCount(): number;
  /** Who of them is new, or reported otherwise, since this was last asked. */
  takeInvalidNews(): readonly InvalidDocument[];
  /** Takes everything anew. @returns what a view begins with */
  load(
    everything: Pick<Everything, 'services' | 'definitions' | 'tombstones'>,
    now: number,
  ): KeptState & Pick<Meaning, 'refused' | 'undefinedServices' | 'leftDefinitions'>;
  /**
   * @param apply shows a change to the view before the next event is read
   * @returns what one transaction, or one write alone, means
   */
  follow(events: readonly DocumentEvent[], apply: (change: Change) => void): Meaning;
}

/** @param take what a document says, where that is known without reading it */
export function createMirror(
  liveView: View,
  take: (document: RawDocument) => ReadInstance | undefined = () => undefined,
): Mirror {
  const books = createBooks();
  const { documents, idOf, invalid } = books;
  let applyNow: (change: Change) => void = () => {};
  const follower = () =>
    createInterpreter({ books, view: liveView, apply: (change) => applyNow(change), take });
  let following = follower();

  function saysSomething(service: ReadService): service is Waiting & ReadService {
    const { id, read, write } = service;
    if (!isFault(read)) return true;
    books.leaveAlone(id, write);
    invalid.report(idText(id), read);
    return false;
  }

  return {
    documentOf(key) {
      const id = idOf.get(key);
      return id === undefined ? undefined : documents.get(id);
    },
    leftAlone: (id) => books.leftAlone.get(idText(id)),
    holderOf: (id) => documents.get(idText(id))?.key,
    definitionWrite: (service) => books.definitionWrites.get(service),
    invalid: invalid.list,
    invalidCount: () => invalid.size,
    takeInvalidNews: invalid.takeNews,
    load({ services, definitions, tombstones }, now) {
      books.clear();
      following = follower(); // whatever broke off in the middle is nothing any more
      const view = createView({ epoch: '', revision: 0 });
      const reads: Waiting[] = [];
      const refused: Refused[] = [];
      const countOf = new Map<string, number>();
      const buried = new Map(
        tombstones.map((tombstone): [InstanceKey, Lease] => [
          instanceKey({ service: tombstone.service, id: tombstone.instanceId }),
          buriedLease(tombstone),
        ]),
      );
      for (const service of services) {
        if (!saysSomething(service)) continue;
        const { id, read } = service;
        const fault = read.notes && outlived(read, buried.get(keyOf(read)));
        if (read.notes && fault) {
          books.leaveAlone(id, read.notes.write);
          invalid.report(idText(id), fault);
          refused.push({ id, write: read.notes.write, former: undefined });
          continue;
        }
        const { name } = read.definition;
        reads.push(service);
        countOf.set(name, (countOf.get(name) ?? 0) + 1);
      }
      const apply = (change: Change) => view.apply({ revision: 0, at: now, changes: [change] }, now);
      const reading = createInterpreter({ books, view, apply, othersOf: countOf });
      for (const document of definitions) reading.definitionPut(nameText(document._id), document);
      for (const { id, read } of inOrder(reads, view)) reading.instancePut(id, read);
      const expiring = new Set(tombstones.map(({ service }) => service)); // an hour longer than their instances
      for (const document of definitions) {
        const name = nameText(document._id);
        const byHand = definitionWriteOf(document)?.startsWith(healing);
        if (byHand && !expiring.has(name)) reading.removeWhereEmpty(name);
      }
      const { undefinedServices, leftDefinitions } = reading.end();
      return {
        view,
        supersededRuns: runsBefore(reads),
        tombstones: buried,
        refused,
        undefinedServices,
        leftDefinitions,
      };
    },
    follow(events, apply) {
      applyNow = apply;
      for (const event of events) {
        if (event.collection === 'tombstones') following.bury(event.document);
        else if (event.collection === 'definitions') {
          if (event.document) following.definitionPut(event.id, event.document);
          else following.definitionGone(event.id);
        } else if (event.document) following.documentPut(event.id, event.document);
        else {
          books.settle(event.id);
          following.instanceGone(event.id, buriedBy(events));
        }
      }
      return following.end();
    },
  };
}

function buriedBy(events: readonly DocumentEvent[]): ReadonlySet<string> {
  return new Set(events.flatMap((event) => (event.collection === 'tombstones' ? [event.document._id] : [])));
}

function runsBefore(reads: readonly Waiting[]): Map<InstanceKey, readonly string[]> {
  const runs = new Map<InstanceKey, readonly string[]>();
  for (const { read } of reads) {
    const { supersededRuns = [] } = read.notes ?? {};
    if (supersededRuns.length > 0) runs.set(keyOf(read), supersededRuns);
  }
  return runs;
}

/** Who agrees with what is written down comes first, so that nobody takes its path meanwhile. */
function inOrder(reads: readonly Waiting[], view: View): Waiting[] {
  const rankOf = ({ read: { definition, notes } }: Waiting) => {
    const current = view.services.get(definition.name)?.definition;
    const agrees = current !== undefined && differingFields(current, definition).length === 0;
    return (agrees ? 0 : 2) + (notes ? 0 : 1);
  };
  const ranks: Waiting[][] = [[], [], [], []];
  for (const one of reads) ranks[rankOf(one)]?.push(one);
  return ranks.flatMap((rank) => rank.sort((a, b) => (idText(a.id) < idText(b.id) ? -1 : 1)));
}

function buriedLease({
  runId,
  registrant,
  generation,
  supersededRuns,
  leaseMs,
  goneAt,
  kind,
  force,
}: TombstoneDocument): Lease {
  return {
    runId,
    ...(registrant !== undefined && { registrant }),
    generation,
    supersededRuns,
    leaseMs,
    expiresAt: null,
    gone: goneBy({ kind, force }, goneAt.getTime()),
  };
}
