// `reg register`: says where a service is that does not say it itself.
import { register as registerAndKeep } from '@reg/client';
import type { AuthorizedRoles, Endpoint, LeaseSetting, Registration } from '@reg/schema';
import { instanceIdOf } from '@reg/schema/address';
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { note, printJson, printLine } from '../print.ts';
import { stayFor, stopSignal } from '../stop-signal.ts';
import { describeMissing, requireKnown, waitQuery } from '../wait-for-gateways.ts';

export interface RegisterOptions extends RegistryAccess {
  readonly url: string;
  readonly endpoint: readonly string[];
  readonly type?: readonly string[];
  readonly merge?: boolean;
  readonly as?: readonly string[];
  readonly partial?: 'allow' | 'refuse';
  readonly roles?: readonly string[];
  readonly anyRole?: readonly string[];
  readonly public?: boolean;
  readonly id?: string;
  readonly runId?: string;
  readonly lease: LeaseSetting;
  readonly version?: string;
  readonly zone?: string;
  readonly tag?: readonly string[];
  readonly meta?: readonly string[];
  readonly owner?: string;
  readonly sunset?: number;
  readonly redefine?: boolean;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** Without a lease it is done when it is listed; with one it stays, keeps the lease and leaves on a signal. */
export async function register(name: string, options: RegisterOptions): Promise<void> {
  const registration = registrationOf(name, options);
  if (registration.lease === 'none') {
    const { name: service, instanceId: id, ...body } = registration;
    const parameters = { service, id };
    const query = waitQuery(options.wait);
    const { registry, registryToken } = options;
    const reply = await callRegistry('register', { registry, registryToken, parameters, query, body });
    show(registration, reply, options);
    requireKnown(reply.missing);
    return;
  }
  const stop = stopSignal();
  const { registry, registryToken: token } = options;
  const waitFor = options.wait ? 'gateways' : undefined;
  const joining = registerAndKeep({
    ...registration,
    registry,
    token,
    waitFor,
    onRefused: 'exit',
    log: note,
  });
  const kept = await stayFor(Promise.race([joining, stop]));
  if (!kept) return; // asked to end before a registry answered: nothing is listed
  const { generation, missing } = kept;
  show(registration, { generation, missing }, options);
  if (missing && missing.length > 0) note(describeMissing(missing)); // it stays: who hears late still hears
  await stayFor(stop);
  await kept.unregister({ drain: true });
}

function show(
  { name, instanceId, url, endpoints, lease }: Registration,
  reply: { readonly generation: number; readonly missing?: readonly string[] | undefined },
  { json }: RegisterOptions,
): void {
  const addresses = endpoints.map((endpoint) => endpoint.url).join(', ');
  if (json) printJson({ name, instanceId, url, endpoints, lease, ...reply });
  else printLine(`registered  ${name}  ${instanceId}  ${url} -> ${addresses}`);
}

/** What the registry can judge is left to the registry: it names the field and the reason. */
export function registrationOf(
  name: string,
  options: RegisterOptions,
): Registration & { instanceId: string } {
  const endpoints = endpointsOf(options.endpoint, options.type, options.as);
  const { url, merge, partial, runId, lease, version, zone, tag, owner, sunset, redefine } = options;
  return {
    name,
    url,
    endpoints,
    merge,
    partial,
    authorizedRoles: rolesOf(options),
    access: options.public ? 'public' : 'token',
    instanceId: options.id ?? defaultIdOf(endpoints),
    runId,
    lease,
    version,
    zone,
    tags: tag && [...tag],
    metadata: metadataOf(options.meta),
    owner,
    deprecated: sunset === undefined ? undefined : { sunset },
    redefine,
  };
}

/** One type for all of them, or one for each, in their order; a name for each, `-` for none. */
function endpointsOf(
  urls: readonly string[],
  types: readonly string[] = ['http'],
  names: readonly string[] = urls.map(() => '-'),
): Endpoint[] {
  if (types.length !== 1 && types.length !== urls.length) {
    throw new InvalidArgumentError(`give --type once, or once for each of the ${urls.length} endpoints`);
  }
  if (names.length !== urls.length) {
    throw new InvalidArgumentError(`give --as once for each of the ${urls.length} endpoints, - for no name`);
  }
  return urls.map((url, index) => ({
    type: (types[index] ?? types[0]) as Endpoint['type'],
    url,
    as: names[index] === '-' ? undefined : names[index],
  }));
}

function rolesOf({ roles, anyRole }: RegisterOptions): AuthorizedRoles {
  return anyRole ? { anyOf: [...anyRole] } : [...(roles ?? [])];
}

function defaultIdOf([first]: readonly Endpoint[]): string {
  if (first && URL.canParse(first.url)) return instanceIdOf(first.url);
  throw new InvalidArgumentError(
    `--endpoint needs a URL, like http://127.0.0.1:3001/tickets, not ${first?.url}`,
  );
}

function metadataOf(pairs: readonly string[] | undefined): Record<string, string> | undefined {
  if (pairs === undefined) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new InvalidArgumentError(`--meta needs key=value, not ${pair}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
