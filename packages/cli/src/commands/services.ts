// `reg services`: what is registered, one line per instance.
import type { ListedInstance, ListedService } from '@reg/schema';
import { regError } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { note, printJson, printLine } from '../print.ts';
import { rolesText } from '../roles-text.ts';
import { table } from '../table.ts';

export interface ServicesOptions extends RegistryAccess {
  /** Rather what is in the store and in no listing. */
  readonly invalid?: boolean;
  readonly json?: boolean;
}

export async function services(name: string | undefined, options: ServicesOptions): Promise<void> {
  const { registry, json } = options;
  if (options.invalid) return showInvalid(name, options);
  const { holdingBack, services: listed } = await listing(name, options);
  if (holdingBack) note('too many leases ended at once: the registry holds back and expires nobody');
  if (json) return printJson(listed);
  if (listed.length === 0) return note(`no services are registered at ${registry}`);
  for (const line of table([head, ...listed.flatMap(rowsOf)])) printLine(line);
}

async function listing(name: string | undefined, { registry, registryToken }: RegistryAccess) {
  if (name === undefined) return callRegistry('listServices', { registry, registryToken });
  const reply = await callRegistry('getService', { registry, registryToken, parameters: { service: name } });
  const { epoch, revision, holdingBack, ...service } = reply;
  return { holdingBack, services: [service] };
}

async function showInvalid(name: string | undefined, options: ServicesOptions): Promise<void> {
  if (name !== undefined) throw new InvalidArgumentError('--invalid is of no service: leave the name out');
  const health = await callRegistry('health', options);
  if (!('epoch' in health)) throw regError('token_missing', 'what is invalid is told to who may read');
  const { count = 0, documents = [] } = health.invalid ?? {};
  if (options.json) return printJson(documents);
  if (count === 0) return note(`no document is left alone at ${options.registry}`);
  const rows = documents.map(({ id, path, message }) => [id, path, message]);
  for (const line of table([['DOCUMENT', 'FIELD', 'WHY'], ...rows])) printLine(line);
  if (count > documents.length) note(`${count} in all: reg verify --store says all of them`);
}

const head = ['SERVICE', 'URL', 'ROLES', 'INSTANCE', 'STATE', 'LEASE', 'LOOP', 'VERSION', 'ENDPOINTS'];

function rowsOf(service: ListedService): string[][] {
  const { name, url, instances } = service;
  const shared = [name, url, rolesText(service)];
  if (instances.length === 0) return [[...shared, '', 'down', '', '', '', '']];
  return instances.map(({ instanceId, state, lease, load, version = '', endpoints, deprecated }) => {
    const leaseText = typeof lease === 'object' ? `${lease.ttlMs / 1_000}s` : 'none';
    const addresses = endpoints.map(({ type, url }) => (type === 'http' ? url : `${type} ${url}`));
    const stateText = deprecated ? `${state}, sunset ${dayOf(deprecated.sunset)}` : state;
    return [...shared, instanceId, stateText, leaseText, loadText(load), version, addresses.join(', ')];
  });
}

/** How busy its event loop is, and how long it keeps waiting what is due. */
function loadText(load: ListedInstance['load']): string {
  return load ? `${Math.round(load.loopUtilization * 100)}% ${load.loopDelayMs}ms` : '';
}

function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10);
}
