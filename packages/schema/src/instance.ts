// One running copy of a service, as the store keeps it and as readers see it.
import * as z from 'zod';
import { generation, leaseSetting, loopLoad } from './lease.ts';
import { instanceId } from './names.ts';
import { registration } from './registration.ts';

const { endpoints, merge, partial, runId, version, zone, weight, tags, metadata, owner, deprecated } =
  registration.shape;

/** `draining`: it finishes what it has and gets nothing new. */
export const instanceState = z.enum(['up', 'draining']);

/** The store's record of an instance. What all instances share is in the service's definition. */
export const instance = z.strictObject({
  instanceId,
  generation,
  state: instanceState,
  endpoints,
  merge,
  partial,
  lease: leaseSetting,
  runId,
  version,
  zone,
  weight,
  tags,
  metadata,
  owner,
  /** Whose token registered it, as the registry saw it; without: nobody's, or an operator's. */
  registrant: z.string().min(1).max(300).optional(),
  deprecated,
  /** When this run joined, in milliseconds since 1970. */
  registeredAt: z.int().min(0),
});

/** An instance in a listing: with the end of its lease, which moves without a revision, as its load does. */
export const listedInstance = z.strictObject({
  ...instance.shape,
  /** Milliseconds since 1970; null without a lease. */
  leaseUntil: z.int().min(0).nullable(),
  /** As its last renewal that said it; like the lease, it moves without a revision. */
  load: loopLoad.optional(),
});

export type Instance = z.infer<typeof instance>;
export type ListedInstance = z.infer<typeof listedInstance>;
