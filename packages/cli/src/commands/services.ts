// `reg services`: what is registered, one line per instance.
import type { ListedService } from '@reg/schema';
import { callRegistry } from '../api.ts';
import { note, printJson, printLine } from '../print.ts';
import { rolesText } from '../roles-text.ts';
import { table } from '../table.ts';

export interface ServicesOptions {
  readonly registry: string;
  readonly json?: boolean;
}

export async function services(name: string | undefined, { registry, json }: ServicesOptions): Promise<void> {
  const { holdingBack, services: listed } = await listing(name, registry);
  if (holdingBack) note('too many leases ended at once: the registry holds back and expires nobody');
  if (json) return printJson(listed);
  if (listed.length === 0) return note(`no services are registered at ${registry}`);
  for (const line of table([head, ...listed.flatMap(rowsOf)])) printLine(line);
}

async function listing(name: string | undefined, registry: string) {
  if (name === undefined) return callRegistry('listServices', { registry });
  const reply = await callRegistry('getService', { registry, parameters: { service: name } });
  const { epoch, revision, holdingBack, ...service } = reply;
  return { holdingBack, services: [service] };
}

const head = ['SERVICE', 'URL', 'ROLES', 'INSTANCE', 'STATE', 'LEASE', 'VERSION', 'ENDPOINTS'];

function rowsOf(service: ListedService): string[][] {
  const { name, url, instances } = service;
  const shared = [name, url, rolesText(service)];
  if (instances.length === 0) return [[...shared, '', 'down', '', '', '']];
  return instances.map(({ instanceId, state, lease, version = '', endpoints }) => {
    const leaseText = typeof lease === 'object' ? `${lease.ttlMs / 1_000}s` : 'none';
    const addresses = endpoints.map(({ type, url }) => (type === 'http' ? url : `${type} ${url}`));
    return [...shared, instanceId, state, leaseText, version, addresses.join(', ')];
  });
}
