// Everything, at one revision.
import * as z from 'zod';
import { revision } from './change.ts';
import { instance, listedInstance } from './instance.ts';
import { serviceLoad } from './load.ts';
import { serviceDefinition } from './service.ts';

/** One unbroken history of revisions. */
export const epoch = z.string().regex(/^[a-z0-9]{1,32}$/, 'must be 1 to 32 of a-z 0-9');

/** A service and its instances. One without instances is down, not unknown. */
export const service = z.strictObject({ ...serviceDefinition.shape, instances: z.array(instance) });

/** Everything, at one revision: what a follower starts from. */
export const snapshot = z.strictObject({ epoch, revision, services: z.array(service) });

/** A service in a listing. */
export const listedService = z.strictObject({
  ...serviceDefinition.shape,
  /** Its name in the alphabet of DNS labels and unit names. */
  slug: z.string(),
  /** What was said of it lately; like the leases, it moves without a revision. */
  load: serviceLoad.optional(),
  instances: z.array(listedInstance),
});

const listing = {
  epoch,
  revision,
  /** The reaper expires nobody: too many leases fell due at once to be that many deaths. */
  holdingBack: z.boolean(),
};

/** Reply of `GET /v1/services`. */
export const serviceList = z.strictObject({ ...listing, services: z.array(listedService) });

/** Reply of `GET /v1/services/{service}`. */
export const serviceListing = z.strictObject({ ...listing, ...listedService.shape });

export type Service = z.infer<typeof service>;
export type Snapshot = z.infer<typeof snapshot>;
export type ListedService = z.infer<typeof listedService>;
export type ServiceList = z.infer<typeof serviceList>;
export type ServiceListing = z.infer<typeof serviceListing>;
