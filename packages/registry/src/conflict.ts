// Who may have what: the path, the slug and the addresses of others, networks, and what instances share.
import {
  type AuthorizedRoles,
  canonicalAddress,
  type Endpoint,
  type FieldFault,
  hostnameOf,
  regError,
  type ServiceDefinition,
  slug,
} from '@reg/schema';
import { hostRefusal, type Network } from '@reg/schema/networks';
import { canonicalPath } from './canonical-path.ts';
import { type InstanceName, instanceNameOf, type View } from './store.ts';

/** The operator's word that a service may have a path that is otherwise reserved: `{ path: '/', service: 'Web' }`. */
export interface PathGrant {
  readonly path: string;
  readonly service: string;
}

/** Fields of a definition that differ; the order of roles and their repetition mean nothing. */
export function differingFields(current: ServiceDefinition, wanted: ServiceDefinition): string[] {
  const fields: string[] = [];
  if (!isSamePath(current.url, wanted.url)) fields.push('url');
  if (!areSameRoles(current.authorizedRoles, wanted.authorizedRoles)) fields.push('authorizedRoles');
  if (current.access !== wanted.access) fields.push('access');
  return fields;
}

// Nearly always they are spelled the same, and 100,000 instances are compared when a store starts.
const isSamePath = (one: string, other: string) =>
  one === other || canonicalPath(one) === canonicalPath(other);

function areSameRoles(one: AuthorizedRoles, other: AuthorizedRoles): boolean {
  if (Array.isArray(one) && Array.isArray(other) && one.length + other.length === 0) return true;
  return rolesKey(one) === rolesKey(other);
}

function rolesKey(roles: AuthorizedRoles): string {
  const [mode, list] = Array.isArray(roles) ? ['allOf', roles] : ['anyOf', roles.anyOf];
  return JSON.stringify([mode, list.length < 2 ? list : [...new Set(list)].sort()]);
}

/** @throws `registration_conflict` naming each field and what the living instances say */
export function refuseConflict(current: ServiceDefinition, fields: readonly string[]): never {
  const errors = fields.map((field) => ({
    field,
    message: `is ${JSON.stringify(current[field as keyof ServiceDefinition])} for the living instances of ${current.name}`,
  }));
  const detail = `${fields.join(', ')} differ from the living instances of ${current.name}: say redefine to change all`;
  throw regError('registration_conflict', detail, { errors });
}

/** @throws `path_reserved`: `/` without a grant; `/_reg` and below, always */
export function checkReserved(path: string, service: string, grants: readonly PathGrant[]): void {
  const canonical = canonicalPath(path);
  const errors = [{ field: 'url', message: 'is reserved' }];
  if (canonical === '/_reg' || canonical.startsWith('/_reg/')) {
    throw regError('path_reserved', `${path} is reserved for the gateway itself`, { errors });
  }
  if (canonical !== '/' || grants.some((grant) => grant.path === '/' && grant.service === service)) return;
  throw regError('path_reserved', `/ needs the operator's grant to ${service}`, { errors });
}

/** @throws `path_reserved`: at one of `reserved`, and below it, the gateway answers itself */
export function checkOwnPaths(path: string, reserved: readonly string[]): void {
  const canonical = canonicalPath(path);
  if (!reserved.some((own) => canonical === own || canonical.startsWith(`${own}/`))) return;
  throw regError('path_reserved', `${path} belongs to the registry itself, behind the gateway`, {
    errors: [{ field: 'url', message: 'is reserved' }],
  });
}

/**
 * A service without instances gives up its path and its slug to one that comes.
 * @returns the services that give way
 * @throws `path_taken`, `slug_taken` naming the holder
 */
export function claimNames(view: View, { name, url }: ServiceDefinition): string[] {
  const pathHolder = view.paths.get(canonicalPath(url));
  const slugHolder = view.slugs.get(slug(name));
  if (pathHolder !== undefined && pathHolder !== name && !view.emptySince.has(pathHolder)) {
    const errors = [{ field: 'url', message: `is held by ${pathHolder}` }];
    throw regError('path_taken', `${url} is held by ${pathHolder}`, { errors });
  }
  if (slugHolder !== undefined && slugHolder !== name && !view.emptySince.has(slugHolder)) {
    const errors = [{ field: 'name', message: `has the slug of ${slugHolder}` }];
    throw regError('slug_taken', `the slug ${slug(name)} is held by ${slugHolder}`, { errors });
  }
  const giveWay = [pathHolder, slugHolder].filter((holder) => holder !== undefined && holder !== name);
  return [...new Set(giveWay)].filter((holder) => holder !== undefined);
}

/** Names pass: what they stand for may change, so the gateway looks when it connects. @throws `invalid_request` */
export function checkNetworks(endpoints: readonly Endpoint[], allowed: readonly Network[]): void {
  const errors: FieldFault[] = [];
  for (const [index, { url }] of endpoints.entries()) {
    const message = hostRefusal(hostnameOf(url), allowed);
    if (message !== undefined) errors.push({ field: `endpoints.${index}.url`, message });
  }
  const [first] = errors;
  if (first) throw regError('invalid_request', `${first.field}: ${first.message}`, { errors });
}

/** One process may serve several services: only another instance id is a stranger at this address. */
export function checkAddresses(view: View, { id }: InstanceName, endpoints: readonly Endpoint[]): void {
  for (const [index, { url }] of endpoints.entries()) {
    for (const key of view.addresses.get(canonicalAddress(url)) ?? []) {
      const holder = instanceNameOf(key);
      if (holder.id === id) continue;
      const message = `is held by instance ${holder.id} of ${holder.service}`;
      throw regError('endpoint_taken', `${url} ${message}`, {
        errors: [{ field: `endpoints.${index}.url`, message }],
      });
    }
  }
}
