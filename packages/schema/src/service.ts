// What all instances of a service share: where the gateway shows it, and who may call.
import * as z from 'zod';
import { role, serviceName } from './names.ts';
import { servicePolicy } from './policy.ts';

/** Unreserved, sub-delims, `:` and `@` (RFC 3986 §3.3), and percent-encoded octets. */
const segments = /^(\/([A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+$/;

/** A public path: `/tickets`, `/billing/invoices`. `/` and reserved paths need a grant of the operator. */
export const publicPath = z
  .string()
  .max(512, 'must have at most 512 characters')
  .superRefine((path, context) => {
    const fault = pathFault(path);
    if (fault) context.addIssue({ code: 'custom', message: fault });
  });

function pathFault(path: string): string | undefined {
  if (path === '/') return undefined;
  if (!path.startsWith('/')) return 'must begin with /';
  if (path.endsWith('/')) return 'must not end with /';
  if (path.includes('//')) return 'must not hold an empty segment';
  if (!segments.test(path)) return 'must be a plain path: no query, fragment or unencoded character';
  if (/%2f|%5c|%00/i.test(path)) return 'must not hold an encoded slash, backslash or NUL';
  if (path.split('/').some((part) => /^(\.|%2e){1,2}$/i.test(part))) return 'must not hold dot segments';
  return undefined;
}

const roles = z.array(role).max(64, 'must have at most 64 roles');

/** An array: all of them. `{ anyOf }`: any one of them. An empty array: any authenticated caller. */
export const authorizedRoles = z.union([roles, z.strictObject({ anyOf: roles.min(1, 'must name a role') })], {
  error: 'must be an array of roles or { anyOf: [roles] }',
});

/** `token` (the default): a caller needs a valid token. `public`: anybody, without one. */
export const access = z.enum(['token', 'public']);

/** More moves than that in the life of one service are forgotten, the oldest first. */
export const formerUrlsKept = 16;

/** How many there should be, said by hand: it goes before what the policy says. */
export const wantedInstances = z.int().min(0).max(1_000);

/** What all instances of a service share. A registration that disagrees is a conflict. */
export const serviceDefinition = z.strictObject({
  name: serviceName,
  url: publicPath,
  authorizedRoles,
  access,
  /** Its paths before it was moved: a registration that still says one of them means `url`. */
  formerUrls: z.array(publicPath).min(1).max(formerUrlsKept).optional(),
  /** Set on its own, never by a registration. */
  policy: servicePolicy.optional(),
  /** Set on its own too. */
  wanted: wantedInstances.optional(),
});

export type AuthorizedRoles = z.infer<typeof authorizedRoles>;
export type ServiceDefinition = z.infer<typeof serviceDefinition>;
