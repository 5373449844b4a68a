// What stays of an instance, as a document. The registry writes these; one that is none, since a person put it there,
// says nothing.
import { generation } from '@reg/schema';
import * as z from 'zod';
import type { TombstoneDocument } from './documents.ts';

const tombstone = z.object({
  _id: z.string(),
  service: z.string(),
  instanceId: z.string(),
  runId: z.string().optional(),
  registrant: z.string().optional(),
  generation,
  supersededRuns: z.array(z.string()),
  leaseMs: z.number().nullable(),
  kind: z.enum(['instance-unregistered', 'instance-expired']),
  force: z.literal(true).optional(),
  reason: z.string().optional(),
  goneAt: z.date(),
  write: z.string(),
});

export function readTombstone(document: object): TombstoneDocument | undefined {
  return tombstone.safeParse(document).data;
}
