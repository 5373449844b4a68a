// An instance as a document, and back. What was inserted by hand is read by the same schema as what comes
// over HTTP; what does not fit is a fault with its path, never an error.
import { createHash } from 'node:crypto';
import { inspect, isDeepStrictEqual } from 'node:util';
import {
  generation,
  type Instance,
  instance,
  instanceId,
  leaseSetting,
  type OwnRegistration,
  ownRegistration,
  registration,
  runId,
  type ServiceDefinition,
} from '@reg/schema';
import { mongo } from 'mongoose';
import * as z from 'zod';
import { faultOfBytes } from './document-bytes.ts';
import type { DocumentId, InstanceNotes, ServiceDocument } from './documents.ts';

type RawDocument = Readonly<Record<string, unknown>>;

/** Of a document that the registry wrote, whoever edited it since. */
const notes = z.object({
  id: instanceId,
  generation,
  state: instance.shape.state,
  lease: leaseSetting,
  runId: runId.optional(),
  registrant: instance.shape.registrant,
  registeredAt: z.int().min(0),
  supersededRuns: z.array(z.string()).max(16),
  write: z.string(),
  at: z.int().min(0),
  reason: z.string().optional(),
});

/** A document that says something the registry understands. */
export interface ReadInstance {
  readonly definition: ServiceDefinition;
  readonly instance: Instance;
  /** Undefined: inserted by hand. */
  readonly notes: KeptNotes | undefined;
}

/** What is not said by the instance itself. */
type KeptNotes = Pick<InstanceNotes, 'supersededRuns' | 'write' | 'reason'>;

/** Why a document is left alone. */
export interface DocumentFault {
  /** `endpoints.0.url`; empty where it is the document as a whole. */
  readonly path: string;
  readonly message: string;
}

/** A document of `services`, and what it says. */
export interface ReadService {
  readonly id: DocumentId;
  readonly read: ReadInstance | DocumentFault;
  /** As `writeIn`. */
  readonly write: string | undefined;
}

/** Who made it by hand ends it by hand. */
const handMadeGeneration = 1;

/** The registry's own documents have the instance's name for an id. */
export function documentId(service: string, id: string): string {
  return `${service}/${id}`;
}

const idAtMost = 512;

/** A text that could be taken for an ObjectId, or for such a text. */
const likeObjectId = /^[0-9a-f]{24}( \(text\))*$/;

/** Any `_id` as text, and no two as the same: that of an ObjectId is its 24 hex digits, a text like that says so. */
export function idText(id: unknown): string {
  return typeof id === 'string' && likeObjectId.test(id) ? `${id} (text)` : nameText(id);
}

/** Any `_id` as a name: a text says itself. */
export function nameText(id: unknown): string {
  const text = typeof id === 'string' ? id : id instanceof mongo.ObjectId ? id.toHexString() : otherText(id);
  if (text.length <= idAtMost) return text;
  return `${text.slice(0, idAtMost / 2)} ${createHash('sha256').update(text).digest('hex')}`;
}

function otherText(id: unknown): string {
  try {
    return `${typeof id}:${mongo.BSON.EJSON.stringify({ id }, { relaxed: false })}`;
  } catch {
    return `${typeof id}:${inspect(id, allOfIt)}`; // it only seems to be of a type of BSON's, by `_bsontype`
  }
}

const unlimited = Number.POSITIVE_INFINITY;
const allOfIt = {
  depth: unlimited,
  maxArrayLength: unlimited,
  maxStringLength: unlimited,
  breakLength: unlimited,
};

export function toDocument(
  _id: DocumentId,
  definition: ServiceDefinition,
  instance: Instance,
  {
    supersededRuns,
    write,
    at,
    by,
    from,
    reason,
  }: Pick<InstanceNotes, 'supersededRuns' | 'write' | 'at' | 'by' | 'from' | 'reason'>,
): ServiceDocument {
  const {
    instanceId: id,
    generation: granted,
    state,
    lease,
    runId: run,
    registrant,
    registeredAt,
  } = instance;
  return {
    ...plainDocument(_id, definition, instance),
    reg: {
      id,
      generation: granted,
      state,
      lease,
      ...(run !== undefined && { runId: run }),
      ...(registrant !== undefined && { registrant }),
      registeredAt,
      supersededRuns,
      write,
      at,
      ...(by !== undefined && { by }),
      ...(from !== undefined && { from }),
      ...(reason !== undefined && { reason }),
    },
  };
}

/** As a person may have written it: without anything that the registry notes. */
export function toHandMadeDocument(
  _id: DocumentId,
  definition: ServiceDefinition,
  instance: Instance,
): ServiceDocument {
  const { instanceId: id, lease } = instance;
  return {
    ...plainDocument(_id, definition, instance),
    ...(id !== nameText(_id) && { instanceId: id }),
    ...(lease !== 'none' && { lease }),
  };
}

function plainDocument(
  _id: DocumentId,
  { name, url, authorizedRoles, access: who }: ServiceDefinition,
  {
    instanceId: _instanceId,
    generation: _generation,
    state: _state,
    lease: _lease,
    runId: _run,
    registrant: _registrant,
    registeredAt: _registeredAt,
    endpoints,
    ...rest
  }: Instance,
): ServiceDocument {
  return { _id, name, url, endpoints, authorizedRoles, ...(who !== 'token' && { access: who }), ...rest };
}

/**
 * Reads documents of `services` as they come, so that none of them need be kept whole. What the instances of a
 * service share is checked where it first comes, and is one object for all that say the same.
 */
export function createServiceReader(): (document: RawDocument) => ReadService {
  const definitions = new Map<unknown, ServiceDefinition>();

  function read(document: RawDocument): ReadInstance | DocumentFault {
    const unreadable = faultOfBytes(document);
    if (unreadable) return unreadable;
    const known = definitions.get(document.name);
    const again = known && readOfService(document, known);
    if (again) return again;
    const said = readDocument(document);
    if (!isFault(said)) definitions.set(document.name, said.definition);
    return said;
  }
  return (document) => ({ id: document._id as DocumentId, read: read(document), write: writeIn(document) });
}

/** The write by which a registry left it last, also where it says nothing else that is understood. */
export function writeIn({ reg }: RawDocument): string | undefined {
  const { write } = (reg ?? {}) as { write?: unknown };
  return typeof write === 'string' ? write : undefined;
}

/** @returns undefined where it does not say of the service what `known` does, or is at fault: read it whole */
function readOfService(document: RawDocument, known: ServiceDefinition): ReadInstance | undefined {
  const { _id, __v, reg, name, url, authorizedRoles, access: who = 'token', ...own } = document;
  if (url !== known.url || who !== known.access) return undefined;
  if (!isDeepStrictEqual(authorizedRoles, known.authorizedRoles)) return undefined;
  const fits = ownRegistration.safeParse(withoutIds(own));
  if (!fits.success) return undefined;
  const read = readNoted(document, known, fits.data);
  return isFault(read) ? undefined : read;
}

/** @returns what it says, or why it says nothing */
export function readDocument(document: RawDocument): ReadInstance | DocumentFault {
  const unreadable = faultOfBytes(document);
  if (unreadable) return unreadable;
  const { _id, __v, reg, ...said } = document;
  const fits = registration.safeParse(withoutIds(said));
  if (!fits.success) return faultOf(fits.error);
  const { name, url, authorizedRoles, access: who = 'token', ...own } = fits.data;
  return readNoted(document, { name, url, authorizedRoles, access: who }, own);
}

function readNoted(
  { _id, reg }: RawDocument,
  definition: ServiceDefinition,
  own: OwnRegistration,
): ReadInstance | DocumentFault {
  if (reg === undefined) {
    const id = instanceId.safeParse(own.instanceId ?? nameText(_id));
    if (!id.success) {
      const { path, message } = faultOf(id.error, '_id');
      return { path, message: `${message}; or give the document an instanceId` };
    }
    return { definition, instance: handMade(own, id.data), notes: undefined };
  }
  const noted = notes.safeParse(reg);
  if (!noted.success) return faultOf(noted.error, 'reg');
  return { definition, instance: instanceOf(own, noted.data), notes: kept(noted.data) };
}

/** Libraries of old gave every part of a list an `_id`. */
function withoutIds(said: RawDocument): RawDocument {
  const { endpoints } = said;
  if (!Array.isArray(endpoints) || !endpoints.some(hasId)) return said;
  return {
    ...said,
    endpoints: endpoints.map((endpoint: unknown) => {
      if (typeof endpoint !== 'object' || endpoint === null) return endpoint;
      const { _id, ...rest } = endpoint as Record<string, unknown>;
      return rest;
    }),
  };
}

const hasId = (endpoint: unknown) => typeof endpoint === 'object' && endpoint !== null && '_id' in endpoint;

function instanceOf(
  said: OwnRegistration,
  { id, state, lease, runId: run, registrant, registeredAt, ...noted }: InstanceNotes,
): Instance {
  return {
    instanceId: id,
    generation: noted.generation,
    state,
    ...ofItself(said),
    lease,
    ...(run !== undefined && { runId: run }),
    ...(registrant !== undefined && { registrant }),
    registeredAt,
  };
}

const none: readonly string[] = [];

function kept({ supersededRuns, write, reason }: InstanceNotes): KeptNotes {
  const runs = supersededRuns.length === 0 ? none : supersededRuns;
  return { supersededRuns: runs, write, ...(reason !== undefined && { reason }) };
}

function handMade(said: OwnRegistration, id: string): Instance {
  return {
    instanceId: id,
    generation: handMadeGeneration,
    state: 'up',
    ...ofItself(said),
    lease: said.lease ?? 'none',
    registeredAt: 0,
  };
}

function ofItself({
  instanceId: _id,
  runId: _run,
  generation: _generation,
  redefine,
  lease,
  ...rest
}: OwnRegistration) {
  return rest;
}

export function faultOf({ issues }: z.ZodError, under = ''): DocumentFault {
  const [issue] = issues;
  const path = [under, ...(issue?.path.map(String) ?? [])].filter((part) => part !== '').join('.');
  return { path, message: issue?.message ?? 'does not fit' };
}

export const isFault = (read: object): read is DocumentFault => 'message' in read;
