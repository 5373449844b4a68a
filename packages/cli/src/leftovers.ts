// What an earlier boot of this machine left listed: a loss of power runs no ExecStopPost.
import { hostname, networkInterfaces } from 'node:os';
import type { ListedInstance, ListedService } from '@reg/schema';
import { isRegError } from '@reg/schema/problem';
import { callRegistry, type RegistryAccess } from './api.ts';
import type { ThisBoot } from './this-boot.ts';
import { failureOf } from './wait-for.ts';

/** A living listener takes a connection at once; a machine that is off answers nothing. */
const answerMs = 1_000;

/** Nobody listens, nobody is there, nobody answers in time. A name that does not resolve says nothing. */
const deadCodes = ['ECONNREFUSED', 'EHOSTUNREACH', 'ETIMEDOUT', 'ABORT_ERR'];

export interface Leftover {
  readonly service: string;
  readonly instance: ListedInstance;
}

/** Of this machine, of another boot, and looked after by the same kind of owner (`systemd:…`). */
export function leftoversOf(
  services: readonly Pick<ListedService, 'name' | 'instances'>[],
  { machine, boot }: ThisBoot,
  owner: string | undefined,
): Leftover[] {
  return services.flatMap(({ name: service, instances }) =>
    instances
      .filter(
        ({ metadata, lease, owner: theirs }) =>
          lease === 'none' &&
          metadata?.machine === machine &&
          metadata.boot !== undefined &&
          metadata.boot !== boot &&
          kindOf(theirs) === kindOf(owner),
      )
      .map((instance) => ({ service, instance })),
  );
}

function kindOf(owner: string | undefined): string | undefined {
  return owner?.split(':')[0];
}

/** @returns what it did and what it could not, in lines @throws `registry_unavailable` and what else may pass */
export async function removeLeftovers(
  access: RegistryAccess,
  boot: ThisBoot,
  owner: string | undefined,
): Promise<string[]> {
  const { services } = await callRegistry('listServices', access);
  const lines: string[] = [];
  for (const leftover of leftoversOf(services, boot, owner)) lines.push(await remove(leftover, access));
  return lines;
}

async function remove({ service, instance }: Leftover, access: RegistryAccess): Promise<string> {
  const { instanceId: id, generation } = instance;
  const what = `${service}  ${id}, of an earlier boot`;
  if (await livesElsewhere(instance)) return `left alone  ${what}: it may live on another machine of this id`;
  try {
    const query = { generation: String(generation), reason: 'left by an earlier boot of its machine' };
    await callRegistry('unregister', { ...access, parameters: { service, id }, query });
    return `unregistered  ${what}`;
  } catch (error) {
    if (!isRegError(error) || error.retryable) throw error;
    return `left alone  ${what}: ${error.code}`;
  }
}

/** A machine that was cloned with its id is another machine, whatever it says: who answers there is not dead. */
async function livesElsewhere({ endpoints: [first] }: ListedInstance): Promise<boolean> {
  if (first === undefined) return false;
  const { hostname: name, port, protocol } = new URL(first.url);
  const host = name.replace(/^\[|\]$/g, '');
  if (isOurs(host)) return false;
  const target = {
    kind: 'tcp',
    text: host,
    host,
    port: Number(port) || defaultPorts[protocol] || 80,
  } as const;
  const failure = await failureOf(target, answerMs);
  return failure === undefined || !deadCodes.includes(failure);
}

const defaultPorts: Readonly<Record<string, number>> = { 'https:': 443, 'amqp:': 5672, 'amqps:': 5671 };

function isOurs(host: string): boolean {
  if (['localhost', '::1', hostname()].includes(host) || host.startsWith('127.')) return true;
  return addressesOfThisMachine().includes(host);
}

/** None where a unit may not ask (RestrictAddressFamilies= without AF_NETLINK): then who answers is left alone. */
function addressesOfThisMachine(): string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SYSTEM_ERROR') return [];
    throw error;
  }
}
