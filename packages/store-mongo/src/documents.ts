// The collections, as people and other programs see them. `services` keeps the shape of the original series;
// what only the registry needs is under `reg`.
import type {
  AuthorizedRoles,
  Endpoint,
  HistoryEntry,
  Instance,
  LeaseSetting,
  Note,
  ServiceDefinition,
} from '@reg/schema';
import { type mongo, Schema } from 'mongoose';

/** What the registry keeps of an instance beside what it says of itself. */
export interface InstanceNotes {
  readonly id: string;
  readonly generation: number;
  readonly state: Instance['state'];
  readonly lease: LeaseSetting;
  readonly runId?: string | undefined;
  /** Whose token registered it. */
  readonly registrant?: string | undefined;
  readonly registeredAt: number;
  readonly supersededRuns: readonly string[];
  /** Names the write that left the document so: the next one replaces exactly this one. */
  readonly write: string;
  /** When, in milliseconds since 1970 by the clock of the registry that wrote it. */
  readonly at: number;
  /** Who wrote it so, and from where. */
  readonly by?: string | undefined;
  readonly from?: string | undefined;
  /** Why it was drained. */
  readonly reason?: string | undefined;
}

/** `_id` is text where the registry wrote it; MongoDB's own where a person did. */
export type DocumentId = string | mongo.ObjectId;

/** One instance. Inserted by hand, it has an `_id` of MongoDB's own and no `reg`. */
export interface ServiceDocument {
  readonly _id: DocumentId;
  readonly name: string;
  readonly url: string;
  readonly endpoints: readonly Endpoint[];
  readonly authorizedRoles: AuthorizedRoles;
  readonly reg?: InstanceNotes;
}

/** What the instances of a service share: one for each service, and no two of one path or slug. */
export interface DefinitionDocument extends Omit<ServiceDefinition, 'name'> {
  /** The service's name. */
  readonly _id: string;
  /** `canonicalPath(url)`. */
  readonly path: string;
  readonly slug: string;
  readonly write: string;
  readonly at: number;
  readonly by?: string | undefined;
  readonly from?: string | undefined;
}

/** A lease, in a collection of its own so that renewals never touch what people read. Times by the database's clock. */
export interface LeaseDocument {
  /** As that of the instance's document, as text. */
  readonly _id: string;
  readonly generation: number;
  readonly renewedAt: Date;
}

/** What stays of an instance for a day, so that an old run never comes back. */
export interface TombstoneDocument {
  /** `service/instanceId` */
  readonly _id: string;
  readonly service: string;
  readonly instanceId: string;
  readonly runId?: string | undefined;
  readonly registrant?: string | undefined;
  readonly generation: number;
  readonly supersededRuns: readonly string[];
  readonly leaseMs: number | null;
  readonly kind: 'instance-unregistered' | 'instance-expired';
  readonly force?: true | undefined;
  readonly reason?: string | undefined;
  readonly goneAt: Date;
  readonly write: string;
}

/**
 * The last document of a transaction: whoever follows the changes knows by it that the transaction is whole. Alone:
 * notes for the history.
 */
export interface WriteDocument {
  readonly _id: string;
  /** Milliseconds since 1970, by the clock of the registry that wrote it. */
  readonly at: number;
  readonly by?: string;
  readonly from?: string;
  readonly notes?: readonly Note[];
  readonly writtenAt?: Date;
  /** On a standalone server, before they are done: what it does. */
  readonly operations?: readonly { readonly data: mongo.Binary }[];
}

/**
 * Entries of the history that were written down together, for people and for registries that start. Whoever sees an
 * entry first writes it down; where two are first, it is in two documents.
 */
export interface HistoryDocument {
  readonly _id?: mongo.ObjectId;
  readonly epoch: string;
  /** Revision of the last entry. */
  readonly last: number;
  readonly entries: readonly HistoryDocumentEntry[];
}

/** `index`: its place among those of its revision. */
type HistoryDocumentEntry = HistoryEntry & { readonly index: number };

/**
 * `epoch`: this history's name. `barrier`: moved to learn what came before. `writable`: since when it can be
 * written to. On a standalone server, `lock`: which registry is there, and `revision`: how far it may have got.
 */
export interface StateDocument {
  readonly _id: 'epoch' | 'barrier' | 'writable' | 'lock' | 'revision';
  readonly epoch?: string;
  readonly by?: string;
  readonly since?: Date;
  readonly confirmedAt?: Date;
  readonly beatAt?: Date;
  readonly who?: string;
  readonly until?: Date;
  readonly taken?: string;
  readonly ceiling?: number;
}

const options = { versionKey: false, strict: false, autoIndex: false, autoCreate: false } as const;
const mixed = Schema.Types.Mixed;
const dayS = 86_400;
const mebibyte = 1024 * 1024;

function cappedEntries(capped: { size: number; max: number }) {
  return new Schema({ last: Number }, { ...options, capped }).index({ last: 1 });
}

export const schemas = {
  services: new Schema(
    { _id: mixed, name: String, url: String, endpoints: mixed, authorizedRoles: mixed },
    options,
  ).index({ name: 1 }),
  definitions: new Schema({ _id: String, path: String, slug: String }, options)
    .index({ path: 1 }, { unique: true })
    .index({ slug: 1 }, { unique: true }),
  leases: new Schema({ _id: String, renewedAt: Date }, options).index(
    { renewedAt: 1 },
    { expireAfterSeconds: 2 * dayS }, // longer than the longest lease: only those whose instance is gone
  ),
  tombstones: new Schema({ _id: String, goneAt: Date }, options).index(
    { goneAt: 1 },
    { expireAfterSeconds: dayS },
  ),
  writes: new Schema({ _id: String, writtenAt: Date }, options).index(
    { writtenAt: 1 },
    { expireAfterSeconds: 3_600 },
  ),
  // The oldest go by themselves; notes apart, so that they push out no change.
  history: cappedEntries({ size: 32 * mebibyte, max: 20_000 }),
  notes: cappedEntries({ size: 16 * mebibyte, max: 10_000 }),
  state: new Schema({ _id: String }, options),
};

export type CollectionName = keyof typeof schemas;

/** Collections whose changes are followed, with what was there before and after each. */
export const followed: readonly CollectionName[] = ['services', 'definitions'];

/** Beside that of `_id`, which every collection has. */
export function indexesOf(collection: CollectionName) {
  return schemas[collection].indexes().map(([key, { unique, expireAfterSeconds }]) => ({
    name: Object.entries(key)
      .map(([field, direction]) => `${field}_${direction}`)
      .join('_'),
    key,
    ...(unique !== undefined && { unique }),
    ...(expireAfterSeconds !== undefined && { expireAfterSeconds }),
  }));
}

export type Collections = ReturnType<typeof collectionsOf>;

export function collectionsOf(db: mongo.Db) {
  return {
    services: db.collection<ServiceDocument>('services'),
    definitions: db.collection<DefinitionDocument>('definitions'),
    leases: db.collection<LeaseDocument>('leases'),
    tombstones: db.collection<TombstoneDocument>('tombstones'),
    writes: db.collection<WriteDocument>('writes'),
    history: db.collection<HistoryDocument>('history'),
    notes: db.collection<HistoryDocument>('notes'),
    state: db.collection<StateDocument>('state'),
  };
}
