// `reg unregister`: takes an instance out. Safe to repeat: what is gone with that run already is no failure.
import type { ListedInstance } from '@reg/schema';
import { isRegError, type ProblemCode, regError } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { printJson, printLine } from '../print.ts';

export interface UnregisterOptions extends RegistryAccess {
  readonly id?: string;
  readonly runId?: string;
  readonly json?: boolean;
}

/**
 * By its id, by its run, or alone: without either there must be exactly one instance. With a run id, a
 * later run of the instance stays listed; without one an operator means whatever runs there.
 */
export async function unregister(service: string, options: UnregisterOptions): Promise<void> {
  const { registry, runId, json } = options;
  const id = await instanceIdFor(service, options);
  const done = id !== undefined && (await remove(service, id, options));
  if (json) return printJson({ name: service, instanceId: id ?? null, unregistered: done });
  if (done) return printLine(`unregistered  ${service}  ${id}`);
  printLine(`not listed at ${registry}: ${service}  ${id ?? `run ${runId}`}`);
}

/** @returns undefined where no instance is of this run: it is gone already */
async function instanceIdFor(service: string, options: UnregisterOptions): Promise<string | undefined> {
  if (options.id !== undefined) return options.id;
  const instances = await instancesOf(service, options);
  if (options.runId !== undefined) return instances.find(({ runId }) => runId === options.runId)?.instanceId;
  const [only, ...others] = instances;
  if (only === undefined) throw regError('instance_not_found', `${service} has no instance`);
  if (others.length === 0) return only.instanceId;
  const ids = instances.map(({ instanceId }) => instanceId).join(', ');
  throw new InvalidArgumentError(`${service} has ${instances.length} instances, say which with --id: ${ids}`);
}

async function instancesOf(
  service: string,
  { registry, registryToken, runId }: UnregisterOptions,
): Promise<ListedInstance[]> {
  try {
    return (await callRegistry('getService', { registry, registryToken, parameters: { service } })).instances;
  } catch (error) {
    if (runId !== undefined && hasCode(error, 'service_not_found')) return [];
    throw error;
  }
}

/** @returns false where the registry knows no such instance, and a run was named: it forgot that run */
async function remove(service: string, id: string, options: UnregisterOptions): Promise<boolean> {
  const { registry, registryToken, runId } = options;
  const run = runId === undefined ? { force: true } : { runId };
  try {
    const query = { ...run, reason: 'reg unregister' };
    await callRegistry('unregister', { registry, registryToken, parameters: { service, id }, query });
    return true;
  } catch (error) {
    if (runId !== undefined && hasCode(error, 'instance_not_found')) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: ProblemCode): boolean {
  return isRegError(error) && error.code === code;
}
