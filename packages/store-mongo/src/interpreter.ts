// What events mean, one after the other: changes of the view, and what is left to be put right. Every registry
// comes to the same, whether it followed them or reads the documents at its start.
import { isDeepStrictEqual } from 'node:util';
import {
  differingFields,
  instanceKey,
  instanceNameOf,
  outlivesInstances,
  settingsOf,
  type View,
  withSettings,
} from '@reg/registry';
import type { Change, ServiceDefinition } from '@reg/schema';
import { type Books, keyOf, waitingAtMost } from './books.ts';
import { definitionWriteOf, readDefinition } from './definition-document.ts';
import type { DefinitionDocument, DocumentId, TombstoneDocument } from './documents.ts';
import { addressesTaken, claimByHand, differenceFrom, holdersOf, outlived } from './hindrances.ts';
import {
  type DocumentFault,
  documentId,
  idText,
  isFault,
  type ReadInstance,
  readDocument,
  writeIn,
} from './instance-document.ts';
import type { Former } from './plan.ts';
import { createRedefinitions } from './redefinitions.ts';

/** What a write that lost its race left. */
export interface Refused {
  readonly id: DocumentId;
  readonly write: string;
  /** What it replaced, and is listed still. Undefined: it goes again. */
  readonly former: Former | undefined;
}

export interface Meaning {
  readonly changes: Change[];
  /** Our writes among them. */
  readonly writes: readonly string[];
  /** A registry wrote them, and another one was there first. */
  readonly refused: readonly Refused[];
  /** Services that somebody made by hand: what they share is still to be written down. */
  readonly undefinedServices: readonly ServiceDefinition[];
  /** Services that somebody removed by hand: what they shared is still written down. */
  readonly leftDefinitions: readonly string[];
  /** What a service was before, where an instance joined it while it was defined anew: its document may say so still. */
  readonly leftBehind: readonly ServiceDefinition[];
}

export interface InterpreterOptions {
  readonly books: Books;
  readonly view: View;
  /** Shows a change to the view before the next event is read. */
  readonly apply: (change: Change) => void;
  /** What a document says, where that is known without reading it. @default never */
  readonly take?: (document: Readonly<Record<string, unknown>>) => ReadInstance | undefined;
  /** At a start: how many documents of each service say something, listed yet or not. */
  readonly othersOf?: ReadonlyMap<string, number>;
}

export interface Interpreter {
  documentPut(id: DocumentId, document: Readonly<Record<string, unknown>>): void;
  instancePut(id: DocumentId, read: ReadInstance): void;
  /** @param buried names whose tombstone is part of the same write */
  instanceGone(id: DocumentId, buried?: ReadonlySet<string>): void;
  definitionPut(name: string, document: DefinitionDocument): void;
  definitionGone(name: string): void;
  /** At a start: nobody is left of whom somebody made by hand, and it was not written down yet. */
  removeWhereEmpty(service: string): void;
  bury(tombstone: TombstoneDocument): void;
  /** What it all came to; what is put from here on is the next thing. */
  end(): Meaning;
}

export function createInterpreter({ books, view, apply, take, othersOf }: InterpreterOptions): Interpreter {
  const { documents, idOf, definitionWrites, invalid, waiting, leftAlone } = books;
  const { keep, forget, settle, wait, leaveAlone } = books;
  const loading = othersOf !== undefined;
  let changes: Change[] = [];
  let writes: string[] = [];
  let refused: Refused[] = [];
  let undefinedServices: ServiceDefinition[] = [];
  let leftDefinitions: string[] = [];
  const redefinitions = createRedefinitions(view);
  /** How often another registry wrote down something else of a service than is known here. */
  const contradictions = new Map<string, number>();
  /** Somebody else may have it now. */
  let released = false;

  function say(change: Change): void {
    if (!loading) changes.push(change);
    if (change.kind === 'service-updated') contradictions.delete(change.service.name);
    if (change.kind !== 'instance-registered' && change.kind !== 'instance-drained') released = true;
    apply(change);
  }

  function instanceGone(id: DocumentId, buried: ReadonlySet<string> = nobody): void {
    const key = forget(id);
    if (key === undefined) return;
    const { service, id: instanceId } = instanceNameOf(key);
    if (buried.has(documentId(service, instanceId))) return; // its tombstone says what happened
    leave(service, instanceId);
  }

  /** By hand: nobody says goodbye, so its run may come back. With the last one goes the service, as ever. */
  function leave(service: string, instanceId: string): void {
    const lease = view.leases.get(instanceKey({ service, id: instanceId }));
    if (!lease) return;
    const { generation } = lease;
    say({ kind: 'instance-unregistered', service, instanceId, generation, force: true });
    removeWhereEmpty(service);
  }

  function removeWhereEmpty(service: string): void {
    const left = view.services.get(service);
    if (!left || left.instances.size > 0 || outlivesInstances(left.definition)) return;
    remove(service);
  }

  function remove(service: string): void {
    say({ kind: 'service-removed', service });
    leftDefinitions.push(service);
  }

  function documentPut(id: DocumentId, document: Readonly<Record<string, unknown>>): void {
    const read = take?.(document) ?? readDocument(document);
    if (isFault(read)) {
      settle(id);
      instanceGone(id);
      leaveAlone(id, writeIn(document));
      invalid.report(idText(id), read);
    } else instancePut(id, read);
  }

  function instancePut(id: DocumentId, read: ReadInstance): void {
    const before = documents.get(idText(id));
    const known = before ?? leftAlone.get(idText(id));
    const fresh = !loading && read.notes !== undefined && read.notes.write !== known?.write;
    settle(id);
    if (before && before.key !== keyOf(read)) instanceGone(id); // renamed by hand
    const fault =
      (fresh ? outlived(read, view.tombstones.get(keyOf(read))) : undefined) ??
      clearTheWay(id, read) ??
      define(id, read, fresh);
    const former = fault && fresh && before ? formerOf(read, before.write === undefined) : undefined;
    if (former && read.notes) {
      keep(id, read);
      refused.push({ id, write: read.notes.write, former });
    } else if (fault) hinder(id, read, fault, fresh);
    else list(id, read, fresh);
  }

  /** Listed under its name, whatever the document says by now. */
  function formerOf(read: ReadInstance, byHand: boolean): Former | undefined {
    const key = keyOf(read);
    const service = view.services.get(read.definition.name);
    const instance = service?.instances.get(read.instance.instanceId);
    if (!service || !instance) return undefined;
    const { supersededRuns = [] } = view.leases.get(key) ?? {};
    return { definition: service.definition, instance, supersededRuns, byHand };
  }

  /** It is not listed; one that a registry wrote has lost its race, and goes. */
  function hinder(id: DocumentId, read: ReadInstance, fault: DocumentFault, fresh: boolean): void {
    if (fresh && read.notes) {
      refused.push({ id, write: read.notes.write, former: undefined });
      if (definitionWrites.get(read.definition.name) === read.notes.write)
        removeWhereEmpty(read.definition.name);
    } else wait(id, read);
    instanceGone(id);
    leaveAlone(id, read.notes?.write);
    invalid.report(idText(id), fault);
  }

  /** Of two made by hand the one of the lower `_id` is listed, whichever is read first. @returns what hinders it */
  function clearTheWay(id: DocumentId, read: ReadInstance): DocumentFault | undefined {
    const taken = takenFrom(id, read);
    if (taken.length === 0) return undefined;
    const seniors = taken.filter(
      ({ holder }) => read.notes || documents.get(holder)?.write !== undefined || holder < idText(id),
    );
    if (seniors[0]) return seniors[0].fault;
    const message = `is taken by the document ${idText(id)} of ${read.definition.name}`;
    for (const { holder, fault } of taken) standAside(holder, { path: fault.path, message });
    return undefined;
  }

  function takenFrom(id: DocumentId, read: ReadInstance): { holder: string; fault: DocumentFault }[] {
    const { instanceId } = read.instance;
    const same = idOf.get(keyOf(read));
    const taken = addressesTaken(view, read).map(({ holder, fault }) => ({
      holder: idOf.get(holder) ?? '',
      fault,
    }));
    if (same === undefined || same === idText(id)) return taken;
    const message = `is instance ${instanceId}, as the document ${same} is`;
    return [{ holder: same, fault: { path: '_id', message } }, ...taken];
  }

  /** Listed no more, and waiting. */
  function standAside(document: string | undefined, fault: DocumentFault): void {
    const kept = document === undefined ? undefined : documents.get(document);
    if (!kept) return;
    const { service, id } = instanceNameOf(kept.key);
    const known = view.services.get(service);
    const instance = known?.instances.get(id);
    if (!known || !instance) return;
    instanceGone(kept.id);
    settle(kept.id);
    wait(kept.id, { definition: known.definition, instance, notes: undefined });
    leaveAlone(kept.id, kept.write);
    invalid.report(idText(kept.id), fault);
  }

  /**
   * What its service shares: the first one says it, one that is alone may change it, the others must agree.
   * @returns why the document cannot be listed
   */
  function define(id: DocumentId, read: ReadInstance, fresh: boolean): DocumentFault | undefined {
    const { definition, instance } = read;
    const service = view.services.get(definition.name);
    const listed = service?.instances.has(instance.instanceId) ?? false;
    const others =
      (othersOf?.get(definition.name) ?? service?.instances.size ?? 0) > (loading || listed ? 1 : 0);
    const isShared = service !== undefined && (others || definitionWrites.has(definition.name));
    const difference = isShared ? differenceFrom(service.definition, definition) : undefined;
    if (isShared && !difference) return undefined;
    if (difference && fresh) return difference;
    if (difference && others) {
      invalid.report(idText(id), difference);
      wait(id, read);
      return undefined; // listed, as the others are
    }
    const claim = claimByHand(view, definition);
    if (isFault(claim)) {
      if (!listed && !isShared) return claim;
      invalid.report(idText(id), claim);
      wait(id, read);
      return undefined; // listed, as is written down
    }
    for (const holder of claim.giveWay) remove(holder);
    const defined = { ...definition, ...settingsOf(service?.definition) };
    say({ kind: 'service-updated', service: defined });
    undefinedServices.push(defined);
    return undefined;
  }

  function list(id: DocumentId, read: ReadInstance, fresh: boolean): void {
    const { definition, instance, notes } = read;
    const service = definition.name;
    const known = view.services.get(service)?.instances.get(instance.instanceId);
    keep(id, read);
    redefinitions.told(service, instance.instanceId);
    if (fresh && notes) writes.push(notes.write);
    if (known?.generation !== instance.generation) say({ kind: 'instance-registered', service, instance });
    else if (known.state === 'up' && instance.state === 'draining') {
      const reason = notes?.reason;
      say({ kind: 'instance-drained', service, instance, ...(reason !== undefined && { reason }) });
    } else if ((fresh && !notes?.write.startsWith(healing)) || !isDeepStrictEqual(known, instance))
      say({ kind: 'instance-updated', service, instance });
  }

  /** Settings count as they stand, by whomever. What instances say too is put right: people edit it in `services`. */
  function definitionPut(name: string, document: DefinitionDocument): void {
    const before = definitionWrites.get(name);
    const read = readDefinition(name, document);
    const current = view.services.get(name)?.definition;
    definitionWrites.set(name, definitionWriteOf(document));
    invalid.forget(definitionId(name));
    if (isFault(read)) {
      invalid.report(definitionId(name), read);
      if (current) undefinedServices.push(current);
      return;
    }
    const { write, settingsFault } = read;
    const definition = withSettings(read.definition, (settingsFault && current) ?? read.definition); // good ones stay
    if (settingsFault) invalid.report(definitionId(name), settingsFault);
    const fresh = before !== write;
    if (!loading && !current && write.startsWith(healing)) {
      leftDefinitions.push(name); // written down after the last document that said so had gone
      return;
    }
    const isOurs = fresh && !write.startsWith(healing);
    if (current && !isOurs) {
      stayAs(current, definition, fresh);
      return;
    }
    if (fresh) writes.push(write);
    if (current && differingFields(current, definition).length > 0) redefinitions.begin(current);
    makeRoom(definition);
    say({ kind: 'service-updated', service: definition });
  }

  /** But for its settings. A fresh one puts down what everybody knew before somebody edited an instance once more. */
  function stayAs(current: ServiceDefinition, written: ServiceDefinition, fresh: boolean): void {
    const [field] = differingFields(current, written);
    if (field !== undefined) {
      if (!fresh) {
        const message = 'is edited by hand: edit services instead';
        invalid.report(definitionId(current.name), { path: field, message });
      } else countContradiction(current.name);
      undefinedServices.push(current);
    } else if (!isDeepStrictEqual(besideOf(current), besideOf(written))) {
      const { formerUrls, policy, wanted, ...shared } = current;
      say({ kind: 'service-updated', service: { ...shared, ...besideOf(written) } });
    }
  }

  /** Each puts down what it knows, and neither gives in. @throws so that everything is read anew, by all who see it */
  function countContradiction(service: string): void {
    const times = (contradictions.get(service) ?? 0) + 1;
    if (times > contradictionsAtMost) throw new Error(`registries contradict each other about ${service}`);
    contradictions.set(service, times);
  }

  /** Definitions never share a path: who holds it without one was made by hand, this moment. */
  function makeRoom(definition: ServiceDefinition): void {
    const claim = claimByHand(view, definition);
    if (!isFault(claim)) return;
    for (const holder of holdersOf(view, definition)) {
      if (definitionWrites.has(holder)) continue;
      for (const id of [...(view.services.get(holder)?.instances.keys() ?? [])]) {
        standAside(idOf.get(instanceKey({ service: holder, id })), claim);
      }
    }
  }

  function definitionGone(name: string): void {
    definitionWrites.delete(name);
    invalid.forget(definitionId(name));
    const service = view.services.get(name);
    if (!service) return;
    if (service.instances.size === 0) say({ kind: 'service-removed', service: name });
    else undefinedServices.push(service.definition);
  }

  function bury({ service, instanceId, generation, kind, force, reason, write }: TombstoneDocument): void {
    writes.push(write);
    if (!view.leases.has(instanceKey({ service, id: instanceId }))) return;
    const why = reason === undefined ? {} : { reason };
    if (kind === 'instance-expired') say({ kind, service, instanceId, generation, ...why });
    else say({ kind, service, instanceId, generation, ...why, ...(force && { force }) });
  }

  /** Whoever waits has another try, in one order everywhere. */
  function retryWaiting(): void {
    for (let round = 0; released && waiting.size > 0 && round < waitingAtMost; round++) {
      released = false;
      const inOrder = [...waiting].sort(([one], [other]) => (one < other ? -1 : 1));
      for (const [, { id, read }] of inOrder) instancePut(id, read);
    }
  }

  return {
    documentPut,
    instancePut,
    instanceGone,
    definitionPut,
    definitionGone,
    removeWhereEmpty,
    bury,
    end(): Meaning {
      retryWaiting();
      const meaning = {
        changes,
        writes,
        refused,
        undefinedServices,
        leftDefinitions,
        leftBehind: redefinitions.end(),
      };
      changes = [];
      writes = [];
      refused = [];
      undefinedServices = [];
      leftDefinitions = [];
      released = false;
      return meaning;
    },
  };
}

const nobody: ReadonlySet<string> = new Set();

const contradictionsAtMost = 10;

/** What no instance says. A registry that starts takes it as it is written down. */
function besideOf({ formerUrls, ...rest }: ServiceDefinition) {
  return { ...(formerUrls !== undefined && { formerUrls }), ...settingsOf(rest) };
}

const definitionId = (name: string) => `definitions/${name}`;

/** Begins the name of a write that only puts down what everybody knows already. */
export const healing = 'healing-';
