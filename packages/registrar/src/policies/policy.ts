// A service's policy as its file says it, sorted by who needs what.
import {
  type AuthorizedRoles,
  type Registration,
  regError,
  registrationBody,
  type ServicePolicy,
  servicePolicy,
} from '@reg/schema';
import { fillIn, type Place, type PolicyFile, startedPorts } from './policy-file.ts';

/** What its instances share, and the registry therefore keeps once. */
interface Entry {
  readonly url: string;
  readonly authorizedRoles: AuthorizedRoles;
  readonly access: 'token' | 'public';
}

export interface Policy {
  readonly service: string;
  /** Undefined: its instances register themselves. */
  readonly entry: Entry | undefined;
  /** What the registry keeps of it. Undefined: the file says nothing of that, and the registry's own counts. */
  readonly shared: ServicePolicy | undefined;
  readonly file: PolicyFile;
}

export function policyOf(file: PolicyFile, name: string): Policy {
  const { url, authorizedRoles = [], access = 'token' } = file;
  return {
    service: file.name ?? name,
    entry: url === undefined ? undefined : { url, authorizedRoles, access },
    shared: servicePolicyOf(file),
    file,
  };
}

function servicePolicyOf({ checks, checking, fallback, scaling, timeouts }: PolicyFile) {
  const { start: _, drainMs: __, ...bounds } = scaling ?? {};
  const part = {
    ...(checks && { checks }),
    ...(checking && { checking }),
    ...(fallback && { fallback }),
    ...(Object.keys(bounds).length > 0 && { scaling: bounds }),
    ...(timeouts && { timeouts }),
  };
  return Object.keys(part).length > 0 ? servicePolicy.parse(part) : undefined;
}

/** Ports of which those count that a registrar started for this service: whoever else listens there is a stranger. */
interface StartedRuns {
  readonly ports: readonly number[];
  readonly startedFor: string;
}

/** Where its instances are looked for; undefined: the one that the entry itself names, or who registers itself. */
export function runsOf({ file, service }: Policy): PolicyFile['runs'] | StartedRuns {
  const ports = startedPorts(file.scaling);
  return file.runs ?? (ports && { ports, startedFor: service });
}

/** The public path, where the instance is. */
export function defaultEndpoints({ url }: Entry): NonNullable<PolicyFile['endpoints']> {
  return [{ type: 'http', url: `http://{host}:{port}${url === '/' ? '' : url}` }];
}

/** What is said of all instances and of the service; which one it is comes from its place. */
export type Said = Omit<Registration, 'name' | 'instanceId' | 'runId' | 'generation' | 'lease' | 'owner'>;

/** What an instance at this place would register. @throws `invalid_request`: no registration comes out */
export function saidAt({ file, entry, service }: Policy, place: Place): Said {
  if (!entry) throw regError('invalid_request', `the policy of ${service} has no url`);
  const { merge, partial, version, zone, weight, tags, metadata } = file;
  const endpoints = file.endpoints ?? defaultEndpoints(entry);
  const said = {
    ...entry,
    endpoints: endpoints.map(({ url, ...rest }) => ({ ...rest, url: fillIn(url, place) })),
    ...(merge !== undefined && { merge }),
    ...(partial !== undefined && { partial }),
    ...(version !== undefined && { version }),
    ...(zone !== undefined && { zone }),
    ...(weight !== undefined && { weight }),
    ...(tags !== undefined && { tags }),
    ...(metadata !== undefined && { metadata }),
  };
  const { error } = registrationBody.safeParse(said);
  const [issue] = error?.issues ?? [];
  if (issue) throw regError('invalid_request', `${issue.path.join('.')} ${issue.message}`);
  return said;
}
