// The one schema that all else is inferred from: the HTTP body, the client's argument, the store's record.
import * as z from 'zod';
import { deprecated } from './deprecated.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { generation, leaseSetting } from './lease.ts';
import { instanceId, runId, serviceName, tag } from './names.ts';
import { recordKey } from './record-key.ts';
import { access, authorizedRoles, publicPath } from './service.ts';
import { anyText, text } from './text.ts';

const metadata = z
  .record(recordKey, anyText(1024))
  .refine((value) => Object.keys(value).length <= 64, 'must have at most 64 keys');

/**
 * What an instance says of itself when it joins. The readable document of the original,
 * `{ name, url, endpoints: [{ type, url }], authorizedRoles }`, is valid as it stands.
 */
export const registration = z
  .strictObject({
    /** Free text up to 100 characters: `tickets`, `Tickets Query Service`. */
    name: serviceName,
    /** The path at which the gateway shows the service: `/tickets`. */
    url: publicPath,
    /** Where this instance is reached. */
    endpoints: z
      .array(endpoint)
      .min(1, 'must name an endpoint')
      .max(16, 'must have at most 16 endpoints')
      .refine(
        (all) => all.length < 2 || new Set(all.map(({ type, url }) => `${type} ${url}`)).size === all.length,
        'must not name an endpoint twice',
      ),
    /** Its endpoints are asked in parallel and their JSON is merged into one object, later keys winning. */
    merge: z.boolean().optional(),
    /** Only with `merge`, where an endpoint fails: answer without it, or not at all. @default 'refuse' */
    partial: z.enum(['allow', 'refuse']).optional(),
    /** Roles a caller must hold: all of an array, one of `{ anyOf }`; `[]` is any authenticated caller. */
    authorizedRoles,
    /** `public`: no token is needed (and no roles may be named). @default 'token' */
    access: access.optional(),
    /** @default `host-port` of the first endpoint */
    instanceId: instanceId.optional(),
    /** The name this run gave itself; the same run registers again without taking over. */
    runId: runId.optional(),
    /** The generation this run holds already, when it registers again. */
    generation: generation.optional(),
    /** How long it stays listed without a renewal; `"none"`: until it is unregistered. @default 10 s */
    lease: leaseSetting.optional(),
    version: text(64).optional(),
    zone: text(64).optional(),
    /** Share of requests beside the others' weights. @default 1 */
    weight: z.int().min(0).max(1000).optional(),
    tags: z.array(tag).max(32, 'must have at most 32 tags').optional(),
    metadata: metadata.optional(),
    /** Who looks after it where it has no lease: `systemd:tickets-query.service`. */
    owner: text(200).optional(),
    /** It is to end: callers are told with every answer. */
    deprecated: deprecated.optional(),
    /** Say out loud that url, roles or access change for all instances of the service. */
    redefine: z.boolean().optional(),
  })
  .superRefine(rolesFitAccess)
  .superRefine(partsFitMerge);

/** A public service that names roles would look protected and not be. */
function rolesFitAccess(
  value: { access?: 'token' | 'public' | undefined; authorizedRoles: unknown },
  context: z.RefinementCtx,
): void {
  const none = Array.isArray(value.authorizedRoles) && value.authorizedRoles.length === 0;
  if (value.access !== 'public' || none) return;
  context.addIssue({
    code: 'custom',
    path: ['authorizedRoles'],
    message: 'must be [] where access is public',
  });
}

/** What only a merged answer has means nothing without `merge`: it was forgotten, so it is asked for. */
function partsFitMerge(
  value: { merge?: boolean | undefined; partial?: string | undefined; endpoints: readonly Endpoint[] },
  context: z.RefinementCtx,
): void {
  const { merge = false, partial, endpoints } = value;
  const fault = (message: string, ...path: (string | number)[]) =>
    context.addIssue({ code: 'custom', path, message });
  if (!merge && partial !== undefined) fault('needs merge: true', 'partial');
  const names = new Set<string>();
  for (const [index, { type, as }] of endpoints.entries()) {
    if (merge && type === 'amqp') fault('must not be amqp where merge is true', 'endpoints', index, 'type');
    if (as === undefined) continue;
    if (!merge) fault('needs merge: true', 'endpoints', index, 'as');
    if (names.has(as)) fault('must not be the name of another endpoint', 'endpoints', index, 'as');
    names.add(as);
  }
}

/** The body of `PUT /v1/services/{service}/instances/{id}`: name and id may be left to the path. */
export const registrationBody = z
  .strictObject({ ...registration.shape, name: serviceName.optional() })
  .superRefine(rolesFitAccess)
  .superRefine(partsFitMerge);

const {
  name: _name,
  url: _url,
  authorizedRoles: _authorizedRoles,
  access: _access,
  ...ownShape
} = registration.shape;

/** A registration without what all instances of a service share: for who knows that part to be right. */
export const ownRegistration = z.strictObject(ownShape).superRefine(partsFitMerge);

export type OwnRegistration = z.infer<typeof ownRegistration>;
export type Registration = z.infer<typeof registration>;
export type RegistrationBody = z.infer<typeof registrationBody>;
