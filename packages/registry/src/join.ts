// How an instance joins, or says again what it is: fencing first, then what its service shares, then
// what others hold.
import { isDeepStrictEqual } from 'node:util';
import {
  type Change,
  defaultLeaseMs,
  type FieldFault,
  type Instance,
  type RegistrationBody,
  regError,
  type ServiceDefinition,
} from '@reg/schema';
import type { Network } from '@reg/schema/networks';
import {
  checkAddresses,
  checkNetworks,
  checkReserved,
  claimNames,
  differingFields,
  type PathGrant,
  refuseConflict,
} from './conflict.ts';
import type { Decision } from './decision.ts';
import { grantRun, type Lease } from './lease.ts';
import { describe } from './leave.ts';
import { asMoved } from './move-path.ts';
import { settingsOf } from './settings.ts';
import { type InstanceName, instanceKey, type ServiceState, type View } from './store.ts';
import { checkRegistrant, checkService, type Writer } from './writer.ts';

export interface JoinRules {
  readonly grants: readonly PathGrant[];
  readonly maxInstances: number;
  /** Undefined: the operator. */
  readonly writer?: Writer | undefined;
  /** Where endpoints may be. */
  readonly upstreamNetworks: readonly Network[];
}

export interface Join extends Decision {
  /** As it is listed from now on. */
  readonly instance: Instance;
  /** It was not listed before. */
  readonly created: boolean;
  /** It says nothing new of itself: its lease is renewed, and that is all. */
  readonly renews: boolean;
}

/**
 * @param nextRevision what the write would get: the generation of a new run
 * @throws `invalid_request`, `not_permitted`, `instance_foreign`, `generation_superseded`,
 * `registration_conflict`, `path_taken`, `path_reserved`, `slug_taken`, `endpoint_taken`, `limit_reached`
 */
export function decideJoin(
  view: View,
  name: InstanceName,
  body: RegistrationBody,
  { grants, maxInstances, upstreamNetworks, writer }: JoinRules,
  nextRevision: number,
  now: number,
): Join {
  refuseOtherName(name, body);
  checkService(writer, name.service);
  checkNetworks(body.endpoints, upstreamNetworks);
  const key = instanceKey(name);
  const lease = view.leases.get(key);
  checkRegistrant(writer, lease, describe(name));
  const run = grantRun(lease ?? view.tombstones.get(key), body, nextRevision);
  const service = view.services.get(name.service);
  const shared = decideDefinition(view, service, name, body, grants);
  for (const change of shared) if (change.kind === 'service-removed') checkService(writer, change.service);
  checkAddresses(view, name, body.endpoints);
  if (!lease && view.leases.size >= maxInstances) {
    throw regError('limit_reached', `${maxInstances} instances are registered, which is the limit`);
  }

  const known = lease?.generation === run.generation ? service?.instances.get(name.id) : undefined;
  const registrant = writer ? writer.registrant : lease?.registrant; // an operator's hand takes nothing away
  const instance = describeInstance(name, body, { ...run, registrant }, known, now);
  const replaces = new Map([[key, lease?.generation ?? 0]]);
  const kind = known ? 'instance-updated' : 'instance-registered';
  const renews = isDeepStrictEqual(known, instance);
  const own: Change[] = renews ? [] : [{ kind, service: name.service, instance }];
  return { changes: [...shared, ...own], replaces, instance, created: lease === undefined, renews };
}

/** The path of the request names the instance; a body that names another is a mistake. */
function refuseOtherName({ service, id }: InstanceName, body: RegistrationBody): void {
  const errors: FieldFault[] = [];
  if ((body.name ?? service) !== service)
    errors.push({ field: 'name', message: `must be ${service}, as in the path` });
  if ((body.instanceId ?? id) !== id)
    errors.push({ field: 'instanceId', message: `must be ${id}, as in the path` });
  if (errors.length > 0)
    throw regError('invalid_request', 'the body names another instance than the path', { errors });
}

/** Only other listed instances have a say: one that is alone may change what the service shares. */
function decideDefinition(
  view: View,
  service: ServiceState | undefined,
  { service: name, id }: InstanceName,
  body: RegistrationBody,
  grants: readonly PathGrant[],
): Change[] {
  const { url, authorizedRoles, access = 'token' } = body;
  const said: ServiceDefinition = { name, url, authorizedRoles, access, ...settingsOf(service?.definition) };
  const wanted = service ? asMoved(said, service.definition, body.redefine) : said;
  const fields = service ? differingFields(service.definition, wanted) : ['name', 'url'];
  if (fields.length === 0) return [];
  if (service && !body.redefine && othersListed(service, id)) refuseConflict(service.definition, fields);
  if (!fields.includes('url')) return [{ kind: 'service-updated', service: wanted }];
  checkReserved(url, name, grants);
  const giveWay = claimNames(view, wanted).map(
    (holder): Change => ({ kind: 'service-removed', service: holder }),
  );
  return [...giveWay, { kind: 'service-updated', service: wanted }];
}

function othersListed({ instances }: ServiceState, id: string): boolean {
  return instances.size > (instances.has(id) ? 1 : 0);
}

/** The same run stays as it is: draining stays draining, and it joined when it joined. */
function describeInstance(
  { id }: InstanceName,
  body: RegistrationBody,
  { runId, generation, registrant }: Pick<Lease, 'runId' | 'generation' | 'registrant'>,
  known: Instance | undefined,
  now: number,
): Instance {
  const { endpoints, merge, partial, version, zone, weight, tags, metadata, owner, deprecated } = body;
  const { lease = { ttlMs: defaultLeaseMs } } = body;
  return {
    instanceId: id,
    generation,
    state: known?.state ?? 'up',
    endpoints,
    lease,
    registeredAt: known?.registeredAt ?? now,
    ...(merge !== undefined && { merge }),
    ...(partial !== undefined && { partial }),
    ...(runId !== undefined && { runId }),
    ...(version !== undefined && { version }),
    ...(zone !== undefined && { zone }),
    ...(weight !== undefined && { weight }),
    ...(tags !== undefined && { tags }),
    ...(metadata !== undefined && { metadata }),
    ...(owner !== undefined && { owner }),
    ...(registrant !== undefined && { registrant }),
    ...(deprecated !== undefined && {
      deprecated: { ...deprecated, since: sinceWhen(deprecated, known, now) },
    }),
  };
}

/** Said once it stays, so that saying it again changes nothing; never after the end itself. */
function sinceWhen(
  { sunset, since }: NonNullable<RegistrationBody['deprecated']>,
  known: Instance | undefined,
  now: number,
): number {
  return Math.min(since ?? known?.deprecated?.since ?? now, sunset);
}
