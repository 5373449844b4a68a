// What a write does to the documents: pure. Each operation names the write that it replaces, and is lost where
// that moved on.
import {
  buryLease,
  canonicalPath,
  differingFields,
  goneBy,
  type InstanceKey,
  instanceKey,
  instanceNameOf,
  leaseOf,
  type Origin,
  type View,
} from '@reg/registry';
import { type Change, type Instance, type Note, regError, type ServiceDefinition, slug } from '@reg/schema';
import type { KeptDocument } from './books.ts';
import type { DefinitionDocument, ServiceDocument, TombstoneDocument } from './documents.ts';
import {
  documentId,
  idText,
  type ReadInstance,
  toDocument,
  toHandMadeDocument,
} from './instance-document.ts';
import type { Mirror } from './mirror.ts';

export type Operation =
  | { readonly kind: 'insert-instance'; readonly document: ServiceDocument; readonly says: ReadInstance }
  | {
      readonly kind: 'replace-instance';
      readonly before: KeptDocument;
      readonly document: ServiceDocument;
      readonly says: ReadInstance;
    }
  | { readonly kind: 'delete-instance'; readonly before: KeptDocument }
  | { readonly kind: 'insert-definition'; readonly document: DefinitionDocument }
  | {
      readonly kind: 'replace-definition';
      readonly before: string | null;
      readonly document: DefinitionDocument;
    }
  | { readonly kind: 'delete-definition'; readonly name: string; readonly before: string | null }
  /** Two definitions may swap their paths: each lets go of its own first. */
  | { readonly kind: 'free-names'; readonly name: string }
  /** What all instances of the service say of it, in their own documents; `former`: those that say that still. */
  | {
      readonly kind: 'share';
      readonly definition: ServiceDefinition;
      readonly former?: ServiceDefinition | undefined;
    }
  | { readonly kind: 'bury'; readonly tombstone: TombstoneDocument }
  /** `overdueMs`: only where nobody renewed it for so long. */
  | { readonly kind: 'end-lease'; readonly id: string; readonly overdueMs: number | undefined };

/** One write, and what the history is to know of it. */
export interface WriteName extends Origin {
  readonly write: string;
  readonly at: number;
  /** It does nothing but note them. */
  readonly notes?: readonly Note[] | undefined;
}

/** An instance as it is listed. */
export interface Former {
  readonly definition: ServiceDefinition;
  readonly instance: Instance;
  readonly supersededRuns: readonly string[];
  /** A person wrote its document. */
  readonly byHand: boolean;
}

/** As documents have it: what is not known is left out. */
export function originOf({ by, from }: Origin): { by?: string; from?: string } {
  return { ...(by !== undefined && { by }), ...(from !== undefined && { from }) };
}

type Known = Pick<Mirror, 'documentOf' | 'leftAlone' | 'holderOf' | 'definitionWrite'>;

/**
 * What a registration replaces. Its own document, that somebody broke by hand, is not in its way.
 * @throws `registration_conflict`: another instance is listed by the document that has its `_id`
 */
function replacedBy(key: InstanceKey, known: Known): KeptDocument | undefined {
  const listed = known.documentOf(key);
  if (listed) return listed;
  const { service, id } = instanceNameOf(key);
  const ownId = documentId(service, id);
  const holder = known.holderOf(ownId);
  if (holder === undefined) return known.leftAlone(ownId);
  const { service: other, id: otherId } = instanceNameOf(holder);
  const message = `is that of the document by which somebody made ${otherId} of ${other}`;
  throw regError('registration_conflict', `the _id ${ownId} in the database ${message}`, {
    errors: [{ field: 'instanceId', message }],
  });
}

export function planWrite(
  changes: readonly Change[],
  view: View,
  known: Known,
  { write, at, ...who }: WriteName,
): Operation[] {
  const definitions = new Map<string, ServiceDefinition>();
  const origin = originOf(who);
  const updated = changes.filter((change) => change.kind === 'service-updated');
  const freed =
    updated.length < 2
      ? []
      : updated
          .filter(({ service }) => known.definitionWrite(service.name) !== undefined)
          .map(({ service }): Operation => ({ kind: 'free-names', name: service.name }));

  function define(definition: ServiceDefinition): Operation[] {
    const { name, ...rest } = definition;
    definitions.set(name, definition);
    const path = canonicalPath(definition.url);
    const document = { _id: name, ...rest, path, slug: slug(name), write, at, ...origin };
    const before = known.definitionWrite(name);
    const service = view.services.get(name);
    const shared =
      service && service.instances.size > 0 && differingFields(service.definition, definition).length > 0;
    return [
      before === undefined
        ? { kind: 'insert-definition', document }
        : { kind: 'replace-definition', before, document },
      ...(shared ? [{ kind: 'share' as const, definition }] : []),
    ];
  }

  function remove(name: string): Operation[] {
    const before = known.definitionWrite(name);
    return before === undefined ? [] : [{ kind: 'delete-definition', name, before }];
  }

  function list(change: Extract<Change, { instance: unknown }>): Operation[] {
    const { service, instance } = change;
    const key = instanceKey({ service, id: instance.instanceId });
    const definition = definitions.get(service) ?? view.services.get(service)?.definition;
    if (!definition) throw new TypeError(`the instance ${instance.instanceId} joins no service`);
    const { supersededRuns } = leaseOf(view.leases.get(key) ?? view.tombstones.get(key), instance, at);
    const before = replacedBy(key, known);
    const reason = 'reason' in change ? change.reason : undefined;
    const id = before?.id ?? documentId(service, instance.instanceId);
    const document = toDocument(id, definition, instance, { supersededRuns, write, at, ...origin, reason });
    const says = { definition, instance, notes: { supersededRuns, write, reason } };
    return [
      before
        ? { kind: 'replace-instance', before, document, says }
        : { kind: 'insert-instance', document, says },
    ];
  }

  function end(change: Extract<Change, { kind: 'instance-unregistered' | 'instance-expired' }>): Operation[] {
    const { kind, service, instanceId, generation, reason } = change;
    const key = instanceKey({ service, id: instanceId });
    const lease = view.leases.get(key);
    const before = known.documentOf(key);
    if (!lease || !before) throw new TypeError(`the instance ${instanceId} is not listed`);
    const force = kind === 'instance-unregistered' && change.force;
    const gone = goneBy(change, at);
    const { runId, registrant, supersededRuns, leaseMs } = buryLease(lease, gone);
    const tombstone: TombstoneDocument = {
      _id: documentId(service, instanceId),
      service,
      instanceId,
      ...(runId !== undefined && { runId }),
      ...(registrant !== undefined && { registrant }),
      generation,
      supersededRuns,
      leaseMs,
      kind,
      ...(force && { force }),
      ...(reason !== undefined && { reason }),
      goneAt: new Date(at),
      write,
    };
    const overdueMs = gone.expired ? (leaseMs ?? undefined) : undefined;
    return [
      { kind: 'end-lease', id: idText(before.id), overdueMs },
      { kind: 'delete-instance', before },
      { kind: 'bury', tombstone },
    ];
  }

  function operationsOf(change: Change): Operation[] {
    switch (change.kind) {
      case 'service-updated':
        return define(change.service);
      case 'service-removed':
        return remove(change.service);
      case 'instance-registered':
      case 'instance-updated':
      case 'instance-drained':
        return list(change);
      case 'instance-unregistered':
      case 'instance-expired':
        return end(change);
    }
  }

  return [...freed, ...changes.flatMap(operationsOf)];
}

/** The document as it was before a write that lost its race. */
export function planRestore(
  before: KeptDocument,
  { definition, instance, supersededRuns, byHand }: Former,
  { write, at }: WriteName,
): Operation {
  const notes = byHand ? undefined : { supersededRuns, write };
  const document = notes
    ? toDocument(before.id, definition, instance, { ...notes, at })
    : toHandMadeDocument(before.id, definition, instance);
  const says = { definition, instance, notes };
  return { kind: 'replace-instance', before, document, says };
}
