// `reg register`: says where a service is that does not say it itself.
import { register as registerAndKeep } from '@reg/client';
import type { AuthorizedRoles, Endpoint, LeaseSetting, Registration } from '@reg/schema';
import { instanceIdOf } from '@reg/schema/address';
import { isRegError } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { interruptible, isInterruption } from '../interruption.ts';
import { removeLeftovers } from '../leftovers.ts';
import { note, printJson, printLine } from '../print.ts';
import { answerBy, retrying } from '../retrying.ts';
import { stayFor, stopSignal } from '../stop-signal.ts';
import { type ThisBoot, thisBoot } from '../this-boot.ts';
import { type WaitTarget, waitFor } from '../wait-for.ts';
import { describeMissing, requireKnown, waitQuery } from '../wait-for-gateways.ts';

/** What an instance says of itself, as flags; `reg run` has them too. */
export interface RegistrationFlags {
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
}

export interface RegisterOptions extends RegistrationFlags, RegistryAccess {
  readonly thisBoot?: boolean;
  readonly waitFor?: WaitTarget;
  readonly waitForLimit: number;
  readonly pid?: number;
  readonly wait?: boolean;
  readonly retry: number;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

type Named = Registration & { readonly instanceId: string };

/** Without a lease it is done when it is listed; with one it stays, keeps the lease and leaves on a signal. */
export async function register(name: string, options: RegisterOptions): Promise<void> {
  const boot = options.thisBoot ? thisBoot() : undefined;
  if (options.thisBoot && !boot) note('this machine has no /etc/machine-id: its boots cannot be told apart');
  const registration = registrationOf(name, options, boot);
  if (registration.lease === 'none') await list(registration, options, boot);
  else await keep(registration, options, boot);
}

/** Safe to repeat. Ended meanwhile it takes back what it asked for: whoever ended it wants it gone. */
async function list(
  registration: Named,
  options: RegisterOptions,
  boot: ThisBoot | undefined,
): Promise<void> {
  const signal = interruptible();
  await waitUntilReady(options, signal);
  const { name: service, instanceId: id, ...body } = registration;
  const { registry, registryToken, retry: retryMs, quiet } = options;
  const access = { registry, registryToken, answerBy: answerBy(retryMs) };
  const parameters = { service, id };
  let asked = false;
  const ask = async () => {
    await tidy(registration, { ...options, ...access }, boot);
    signal.throwIfAborted();
    asked = true;
    return callRegistry('register', { ...access, parameters, query: waitQuery(options.wait), body });
  };
  try {
    const reply = await retrying(ask, { retryMs, signal, tell: quiet ? undefined : note });
    signal.throwIfAborted();
    show(registration, reply, options);
    requireKnown(reply.missing);
  } catch (error) {
    if (asked && isInterruption(error)) await takeBack(registration, { registry, registryToken });
    throw error;
  }
}

/** Without the name of a run it could be another's that is listed there: that one is left alone. */
async function takeBack(
  { name: service, instanceId: id, runId }: Named,
  access: RegistryAccess,
): Promise<void> {
  if (runId === undefined) return;
  const query = { runId, reason: 'ended while it registered' };
  try {
    await callRegistry('unregister', { ...access, parameters: { service, id }, query });
  } catch (error) {
    if (!isRegError(error)) throw error;
    const isGone = error.code === 'instance_not_found' || error.code === 'generation_superseded';
    if (!isGone) note(`not taken back: ${error.message}`);
  }
}

async function keep(
  registration: Named,
  options: RegisterOptions,
  boot: ThisBoot | undefined,
): Promise<void> {
  const waiting = options.waitFor && interruptible();
  if (waiting) await waitUntilReady(options, waiting);
  await tidy(registration, options, boot).catch((error) => {
    if (!isRegError(error)) throw error;
    note(`what an earlier boot left: ${error.message}`);
  });
  const stop = stopSignal();
  const { registry, registryToken: token } = options;
  const joining = registerAndKeep({
    ...registration,
    registry,
    token,
    waitFor: options.wait ? 'gateways' : undefined,
    onRefused: 'exit',
    log: note,
  });
  const kept = await stayFor(Promise.race([joining, stop]));
  if (typeof kept === 'string') return; // asked to end before a registry answered: nothing is listed
  const { generation, missing } = kept;
  show(registration, { generation, missing }, options);
  if (missing && missing.length > 0) note(describeMissing(missing)); // it stays: who hears late still hears
  await stayFor(stop);
  await kept.unregister({ drain: true });
}

async function waitUntilReady(
  { waitFor: target, waitForLimit: limitMs, pid }: RegisterOptions,
  signal: AbortSignal,
): Promise<void> {
  if (target) await waitFor(target, { limitMs, pid, signal });
}

/** First of all: what is left there may hold the address, or another path, roles, access. */
async function tidy({ owner }: Named, options: RegisterOptions, boot: ThisBoot | undefined): Promise<void> {
  if (!boot) return;
  const { registry, registryToken, answerBy, quiet } = options;
  const lines = await removeLeftovers({ registry, registryToken, answerBy }, boot, owner);
  if (!quiet) for (const line of lines) note(line);
}

function show(
  { name, instanceId, url, endpoints, lease }: Registration,
  reply: { readonly generation: number; readonly missing?: readonly string[] | undefined },
  { json, quiet }: RegisterOptions,
): void {
  if (quiet) return;
  const addresses = endpoints.map((endpoint) => endpoint.url).join(', ');
  if (json) printJson({ name, instanceId, url, endpoints, lease, ...reply });
  else printLine(`registered  ${name}  ${instanceId}  ${url} -> ${addresses}`);
}

/** What the registry can judge is left to the registry: it names the field and the reason. */
export function registrationOf(name: string, options: RegistrationFlags, boot?: ThisBoot): Named {
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
    metadata: metadataOf(options.meta, boot),
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

function rolesOf({ roles, anyRole }: RegistrationFlags): AuthorizedRoles {
  return anyRole ? { anyOf: [...anyRole] } : [...(roles ?? [])];
}

function defaultIdOf([first]: readonly Endpoint[]): string {
  if (first && URL.canParse(first.url)) return instanceIdOf(first.url);
  throw new InvalidArgumentError(
    `--endpoint needs a URL, like http://127.0.0.1:3001/tickets, not ${first?.url}`,
  );
}

function metadataOf(
  pairs: readonly string[] | undefined,
  boot: ThisBoot | undefined,
): Record<string, string> | undefined {
  if (pairs === undefined && boot === undefined) return undefined;
  const given = (pairs ?? []).map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw new InvalidArgumentError(`--meta needs key=value, not ${pair}`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return { ...Object.fromEntries(given), ...boot };
}
