// History: what happened to services and instances, in the order of revisions.
import * as z from 'zod';
import { instance } from './instance.ts';
import { generation } from './lease.ts';
import { instanceId, serviceName } from './names.ts';
import { serviceDefinition } from './service.ts';
import { text } from './text.ts';

const living = { service: serviceName, instance };
/** Why, in the words of who asked. */
const reason = text(200).optional();
const gone = { service: serviceName, instanceId, generation, reason };

/** One step of history. Whoever applies the changes in order to a snapshot has the next snapshot. */
export const change = z.discriminatedUnion('kind', [
  /** New, or redefined for all its instances. */
  z.strictObject({ kind: z.literal('service-updated'), service: serviceDefinition }),
  /** Its last instance unregistered, or none came back within an hour of the last one's expiry. */
  z.strictObject({ kind: z.literal('service-removed'), service: serviceName }),
  z.strictObject({ kind: z.literal('instance-registered'), ...living }),
  z.strictObject({ kind: z.literal('instance-updated'), ...living }),
  z.strictObject({ kind: z.literal('instance-drained'), ...living, reason }),
  z.strictObject({
    kind: z.literal('instance-unregistered'),
    ...gone,
    /** By an operator: the run itself has not ended and may come back. */
    force: z.literal(true).optional(),
  }),
  z.strictObject({ kind: z.literal('instance-expired'), ...gone }),
]);

/** The registry's clock: grows with every change, never back; gaps are normal. */
export const revision = z.int().min(0);

/** All changes of one revision: they hold together or not at all. */
export const changeSet = z.strictObject({
  revision,
  /** Milliseconds since 1970. */
  at: z.int().min(0),
  changes: z.array(change).min(1),
});

export type Change = z.infer<typeof change>;
export type ChangeSet = z.infer<typeof changeSet>;

/** The name of the service that it is a change of. */
export function serviceOf(change: Change): string {
  return change.kind === 'service-updated' ? change.service.name : change.service;
}
