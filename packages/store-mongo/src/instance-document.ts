// An instance as a document, and back. What was inserted by hand is read by the same schema as what comes
// over HTTP; what does not fit is a fault with its path, never an error.
import { createHash } from 'node:crypto';
import {
  access,
  generation,
  type Instance,
  instance,
  instanceId,
  leaseSetting,
  type Registration,
  registration,
  runId,
  type ServiceDefinition,
} from '@reg/schema';
import { mongo } from 'mongoose';
import * as z from 'zod';
import type { DocumentId, InstanceNotes, ServiceDocument } from './documents.ts';

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
  readonly notes: InstanceNotes | undefined;
}

/** Why a document is left alone. */
export interface DocumentFault {
  /** `endpoints.0.url`; empty where it is the document as a whole. */
  readonly path: string;
  readonly message: string;
}

/** Who made it by hand ends it by hand. */
const handMadeGeneration = 1;

/** The registry's own documents have the instance's name for an id. */
export function documentId(service: string, id: string): string {
  return `${service}/${id}`;
}

const idAtMost = 512;

/** Any `_id` as text, and no two as the same: that of an ObjectId is its 24 hex digits. */
export function idText(id: unknown): string {
  const text = typeof id === 'string' ? id : id instanceof mongo.ObjectId ? id.toHexString() : otherText(id);
  if (text.length <= idAtMost) return text;
  return `${text.slice(0, idAtMost / 2)} ${createHash('sha256').update(text).digest('hex')}`;
}

const otherText = (id: unknown): string =>
  `${typeof id}:${mongo.BSON.EJSON.stringify({ id }, { relaxed: false })}`;

export function toDocument(
  _id: DocumentId,
  { name, url, authorizedRoles, access: who }: ServiceDefinition,
  {
    instanceId: id,
    generation: granted,
    state,
    lease,
    runId: run,
    registrant,
    registeredAt,
    endpoints,
    ...rest
  }: Instance,
  { supersededRuns, write, at, reason }: Pick<InstanceNotes, 'supersededRuns' | 'write' | 'at' | 'reason'>,
): ServiceDocument {
  return {
    _id,
    name,
    url,
    endpoints,
    authorizedRoles,
    ...(who !== 'token' && { access: who }),
    ...rest,
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
      ...(reason !== undefined && { reason }),
    },
  };
}

/** @returns what it says, or why it says nothing */
export function readDocument(document: Readonly<Record<string, unknown>>): ReadInstance | DocumentFault {
  const { _id, __v, reg, ...said } = document;
  const fits = registration.safeParse(withoutIds(said));
  if (!fits.success) return faultOf(fits.error);
  const noted = reg === undefined ? undefined : notes.safeParse(reg);
  if (noted && !noted.success) return faultOf(noted.error, 'reg');
  const id = instanceId.safeParse(noted?.data.id ?? fits.data.instanceId ?? idText(_id));
  if (!id.success) return faultOf(id.error, '_id');
  return {
    definition: definitionOf(fits.data),
    instance: noted ? instanceOf(fits.data, noted.data) : handMade(fits.data, id.data),
    notes: noted?.data,
  };
}

/** Libraries of old gave every part of a list an `_id`. */
function withoutIds({ endpoints, ...said }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (!Array.isArray(endpoints)) return { endpoints, ...said };
  return {
    ...said,
    endpoints: endpoints.map((endpoint: unknown) => {
      if (typeof endpoint !== 'object' || endpoint === null) return endpoint;
      const { _id, ...rest } = endpoint as Record<string, unknown>;
      return rest;
    }),
  };
}

function definitionOf({ name, url, authorizedRoles, access: who }: Registration): ServiceDefinition {
  return { name, url, authorizedRoles, access: who ?? access.enum.token };
}

function instanceOf(
  said: Registration,
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

function handMade(said: Registration, id: string): Instance {
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
  name,
  url,
  authorizedRoles,
  access: _access,
  instanceId: _id,
  runId: _run,
  generation: _generation,
  redefine,
  lease,
  ...rest
}: Registration) {
  return rest;
}

export function faultOf({ issues }: z.ZodError, under = ''): DocumentFault {
  const [issue] = issues;
  const path = [under, ...(issue?.path.map(String) ?? [])].filter((part) => part !== '').join('.');
  return { path, message: issue?.message ?? 'does not fit' };
}

export const isFault = (read: object): read is DocumentFault => 'message' in read;
