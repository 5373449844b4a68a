// What the documents mean: every registry reads the same changes in the same order, and comes to the same
// view by the rules here. A document that means nothing is reported and left alone.
import { isDeepStrictEqual } from 'node:util';
import {
  differingFields,
  type InstanceKey,
  instanceKey,
  instanceNameOf,
  type KeptState,
  type Lease,
  type View,
} from '@reg/registry';
import { type Change, canonicalAddress, type ServiceDefinition } from '@reg/schema';
import type { DefinitionDocument, DocumentId, TombstoneDocument } from './documents.ts';
import {
  type DocumentFault,
  documentId,
  idText,
  isFault,
  type ReadInstance,
  readDocument,
} from './instance-document.ts';

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

/** A document that is in the collection, and in no listing. */
export interface InvalidDocument extends DocumentFault {
  /** Its `_id`, as text. */
  readonly id: string;
}

/** Where an instance is kept. */
export interface KeptDocument {
  readonly id: DocumentId;
  /** Undefined: inserted by hand. */
  readonly write: string | undefined;
}

export interface Meaning {
  readonly changes: readonly Change[];
  /** Our writes among them. */
  readonly writes: readonly string[];
  /** A registry wrote it, and another one was there first: it goes again. */
  readonly refused: readonly { readonly id: DocumentId; readonly write: string }[];
  /** Services that somebody made by hand: what they share is still to be written down. */
  readonly undefinedServices: readonly ServiceDefinition[];
  /** Services that somebody removed by hand: what they shared is still written down. */
  readonly leftDefinitions: readonly string[];
}

export interface Mirror {
  documentOf(key: InstanceKey): KeptDocument | undefined;
  definitionWrite(service: string): string | undefined;
  invalid(): readonly InvalidDocument[];
  /** Takes everything anew. @returns what a view begins with */
  load(
    services: readonly RawDocument[],
    definitions: readonly DefinitionDocument[],
    tombstones: readonly TombstoneDocument[],
  ): KeptState & Pick<Meaning, 'undefinedServices' | 'leftDefinitions'>;
  /**
   * @param apply shows a change to the view before the next event is read
   * @returns what one transaction, or one write alone, means
   */
  follow(events: readonly DocumentEvent[], apply: (change: Change) => void): Meaning;
}

/** @param take what a document says, where that is known without reading it */
export function createMirror(
  view: View,
  take: (document: RawDocument) => ReadInstance | undefined = () => undefined,
): Mirror {
  const documents = new Map<string, KeptDocument & { readonly key: InstanceKey }>();
  const idOf = new Map<InstanceKey, string>();
  const definitionWrites = new Map<string, string>();
  const invalid = new Map<string, InvalidDocument>();

  function keep(id: DocumentId, read: ReadInstance): InstanceKey {
    const text = idText(id);
    const key = keyOf(read);
    documents.set(text, { id, write: read.notes?.write, key });
    idOf.set(key, text);
    return key;
  }

  function forget(id: DocumentId): InstanceKey | undefined {
    const text = idText(id);
    const kept = documents.get(text);
    invalid.delete(text);
    documents.delete(text);
    if (kept) idOf.delete(kept.key);
    return kept?.key;
  }

  function report(id: DocumentId, fault: DocumentFault): void {
    invalid.set(idText(id), { id: idText(id), ...fault });
  }

  /** Why it is not listed, though it is well-formed. */
  function hinderedBy(id: DocumentId, { definition, instance }: ReadInstance): DocumentFault | undefined {
    const key = instanceKey({ service: definition.name, id: instance.instanceId });
    const holder = idOf.get(key);
    if (holder !== undefined && holder !== idText(id)) {
      return { path: '_id', message: `is instance ${instance.instanceId}, as the document ${holder} is` };
    }
    for (const [index, { url }] of instance.endpoints.entries()) {
      for (const other of view.addresses.get(canonicalAddress(url)) ?? []) {
        const { service, id: otherId } = instanceNameOf(other);
        if (otherId === instance.instanceId) continue;
        return { path: `endpoints.${index}.url`, message: `is held by instance ${otherId} of ${service}` };
      }
    }
    return undefined;
  }

  function differenceFrom(current: ServiceDefinition, wanted: ServiceDefinition): DocumentFault | undefined {
    const [field] = differingFields(current, wanted);
    if (field === undefined) return undefined;
    return { path: field, message: `differs from that of the living instances of ${current.name}` };
  }

  return {
    documentOf(key) {
      const id = idOf.get(key);
      return id === undefined ? undefined : documents.get(id);
    },
    definitionWrite: (service) => definitionWrites.get(service),
    invalid: () => [...invalid.values()],
    load(services, definitions, tombstones) {
      for (const map of [documents, idOf, definitionWrites, invalid]) map.clear();
      const known = new Map<string, ServiceDefinition>();
      for (const definition of definitions) {
        definitionWrites.set(definition._id, definition.write);
        known.set(definition._id, definitionOf(definition));
      }
      const instances: {
        service: string;
        instance: ReadInstance['instance'];
        supersededRuns: readonly string[];
      }[] = [];
      const undefinedServices: ServiceDefinition[] = [];
      const inhabited = new Set<string>();
      for (const document of services) {
        const _id = document._id as DocumentId;
        const read = readDocument(document);
        if (isFault(read)) {
          report(_id, read);
          continue;
        }
        const { definition, instance, notes } = read;
        const key = keyOf(read);
        if (idOf.has(key)) {
          report(_id, { path: '_id', message: `is instance ${instance.instanceId} a second time` });
          continue;
        }
        const current = known.get(definition.name);
        if (current === undefined) {
          known.set(definition.name, definition);
          undefinedServices.push(definition);
        } else {
          const fault = differenceFrom(current, definition);
          if (fault) report(_id, fault);
        }
        keep(_id, read);
        inhabited.add(definition.name);
        instances.push({ service: definition.name, instance, supersededRuns: notes?.supersededRuns ?? [] });
      }
      return {
        definitions: [...known.values()],
        instances,
        tombstones: tombstones.map((tombstone): [InstanceKey, Lease] => [
          instanceKey({ service: tombstone.service, id: tombstone.instanceId }),
          buriedLease(tombstone),
        ]),
        undefinedServices,
        leftDefinitions: [],
      };
    },
    follow(events, apply) {
      const changes: Change[] = [];
      const writes: string[] = [];
      const refused: { id: DocumentId; write: string }[] = [];
      const undefinedServices: ServiceDefinition[] = [];
      const leftDefinitions: string[] = [];
      const buried = new Set(
        events.flatMap((event) => (event.collection === 'tombstones' ? [event.document._id] : [])),
      );

      function say(change: Change): void {
        changes.push(change);
        apply(change);
      }

      function instanceGone(id: DocumentId): void {
        const key = forget(id);
        if (key === undefined) return;
        const { service, id: instanceId } = instanceNameOf(key);
        if (buried.has(documentId(service, instanceId))) return; // its tombstone says what happened
        leave(service, instanceId);
      }

      /** By hand: nobody says goodbye, so its run may come back. With the last one goes the service. */
      function leave(service: string, instanceId: string): void {
        const lease = view.leases.get(instanceKey({ service, id: instanceId }));
        if (!lease) return;
        say({
          kind: 'instance-unregistered',
          service,
          instanceId,
          generation: lease.generation,
          force: true,
        });
        if (view.services.get(service)?.instances.size !== 0) return;
        say({ kind: 'service-removed', service });
        leftDefinitions.push(service);
      }

      function instancePut(id: DocumentId, document: RawDocument): void {
        const read = take(document) ?? readDocument(document);
        const text = idText(id);
        const before = documents.get(text);
        const fault = isFault(read) ? read : hinderedBy(id, read);
        if (isFault(read) || fault) {
          const ours = isFault(read) ? undefined : read.notes?.write;
          if (ours !== undefined && ours !== before?.write) refused.push({ id, write: ours });
          instanceGone(id);
          if (fault) report(id, fault);
          return;
        }
        if (before && before.key !== keyOf(read)) instanceGone(id); // renamed by hand
        define(id, read, before?.write);
        list(id, read, before?.write);
      }

      /** What its service shares: the first one says it, one that is alone may change it, the others must agree. */
      function define(
        id: DocumentId,
        { definition, instance, notes }: ReadInstance,
        before: string | undefined,
      ): void {
        invalid.delete(idText(id));
        const service = view.services.get(definition.name);
        const shared = service && definitionWrites.has(definition.name) ? service.definition : undefined;
        const others =
          service && service.instances.size > (service.instances.has(instance.instanceId) ? 1 : 0);
        const current = service && (shared || others) ? service.definition : undefined;
        const fault = current && differenceFrom(current, definition);
        if (current && !fault) return;
        if (fault && (others || (notes && notes.write !== before))) {
          report(id, fault);
          if (notes && notes.write !== before) refused.push({ id, write: notes.write });
          return;
        }
        say({ kind: 'service-updated', service: definition });
        undefinedServices.push(definition);
      }

      function list(id: DocumentId, read: ReadInstance, before: string | undefined): void {
        const { definition, instance, notes } = read;
        const fresh = notes !== undefined && notes.write !== before;
        if (fresh && refused.some(({ write }) => write === notes.write)) return;
        const known = view.services.get(definition.name)?.instances.get(instance.instanceId);
        keep(id, read);
        if (fresh) writes.push(notes.write);
        const service = definition.name;
        if (known?.generation !== instance.generation)
          say({ kind: 'instance-registered', service, instance });
        else if (known.state === 'up' && instance.state === 'draining') {
          say({
            kind: 'instance-drained',
            service,
            instance,
            ...(notes?.reason !== undefined && { reason: notes.reason }),
          });
        } else if (fresh || !isDeepStrictEqual(known, instance))
          say({ kind: 'instance-updated', service, instance });
      }

      function definitionPut(document: DefinitionDocument): void {
        const { _id: name, write } = document;
        const fresh = definitionWrites.get(name) !== write;
        definitionWrites.set(name, write);
        const definition = definitionOf(document);
        const current = view.services.get(name)?.definition;
        const same = current !== undefined && differingFields(current, definition).length === 0;
        if (same && (!fresh || write.startsWith(healing))) return;
        if (fresh) writes.push(write);
        say({ kind: 'service-updated', service: definition });
      }

      function definitionGone(name: string): void {
        definitionWrites.delete(name);
        const service = view.services.get(name);
        if (!service) return;
        if (service.instances.size === 0) say({ kind: 'service-removed', service: name });
        else undefinedServices.push(service.definition);
      }

      function bury({
        service,
        instanceId,
        generation,
        kind,
        force,
        reason,
        write,
      }: TombstoneDocument): void {
        writes.push(write);
        if (!view.leases.has(instanceKey({ service, id: instanceId }))) return;
        const why = reason === undefined ? {} : { reason };
        if (kind === 'instance-expired') say({ kind, service, instanceId, generation, ...why });
        else say({ kind, service, instanceId, generation, ...why, ...(force && { force }) });
      }

      for (const event of events) {
        if (event.collection === 'tombstones') bury(event.document);
        else if (event.collection === 'definitions') {
          if (event.document) definitionPut(event.document);
          else definitionGone(event.id);
        } else if (event.document) instancePut(event.id, event.document);
        else instanceGone(event.id);
      }
      return { changes, writes, refused, undefinedServices, leftDefinitions };
    },
  };
}

/** Begins the name of a write that only puts down what everybody knows already. */
export const healing = 'healing-';

const keyOf = ({ definition, instance }: ReadInstance) =>
  instanceKey({ service: definition.name, id: instance.instanceId });

const definitionOf = ({ _id, url, authorizedRoles, access }: DefinitionDocument): ServiceDefinition => ({
  name: _id,
  url,
  authorizedRoles,
  access,
});

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
  const ended = kind === 'instance-unregistered' && !force;
  return {
    runId,
    ...(registrant !== undefined && { registrant }),
    generation,
    supersededRuns,
    leaseMs,
    expiresAt: null,
    gone: { at: goneAt.getTime(), ended },
  };
}
