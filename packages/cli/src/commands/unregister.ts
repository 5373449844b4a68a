// `reg unregister`: takes an instance out. Safe to repeat: what is not listed any more is no failure.
import type { ListedInstance } from '@reg/schema';
import { isRegError, type ProblemCode } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { namingRun } from '../naming-run.ts';
import { note, printJson, printLine } from '../print.ts';
import { answerBy, retrying } from '../retrying.ts';

export interface UnregisterOptions extends RegistryAccess {
  readonly id?: string;
  readonly runId?: string;
  readonly reason?: string;
  readonly retry: number;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/**
 * By its id, by its run, or alone: without either there must not be several instances. With a run id, a
 * later run of the instance stays listed; without one an operator means whatever runs there.
 */
export async function unregister(service: string, options: UnregisterOptions): Promise<void> {
  const { registry, retry: retryMs, quiet } = options;
  const bounded = { ...options, answerBy: answerBy(retryMs) };
  const { id, done } = await retrying(() => takeOut(service, bounded), {
    retryMs,
    tell: quiet ? undefined : note,
  });
  if (quiet) return;
  if (options.json) return printJson({ name: service, instanceId: id ?? null, unregistered: done });
  if (done) return printLine(`unregistered  ${service}  ${id}`);
  const which = id ?? (options.runId === undefined ? 'any instance' : `run ${options.runId}`);
  printLine(`not listed at ${registry}: ${service}  ${which}`);
}

interface TakenOut {
  readonly id: string | undefined;
  /** False: it was not listed. */
  readonly done: boolean;
}

async function takeOut(service: string, options: UnregisterOptions): Promise<TakenOut> {
  const id = options.id ?? (await instanceIdOf(service, options));
  return { id, done: id !== undefined && (await remove(service, id, options)) };
}

/** @returns undefined where none is listed */
async function instanceIdOf(service: string, options: UnregisterOptions): Promise<string | undefined> {
  const instances = await instancesOf(service, options);
  if (options.runId !== undefined) return instances.find(({ runId }) => runId === options.runId)?.instanceId;
  if (instances.length <= 1) return instances[0]?.instanceId;
  const ids = instances.map(({ instanceId }) => instanceId).join(', ');
  throw new InvalidArgumentError(`${service} has ${instances.length} instances, say which with --id: ${ids}`);
}

/** None where the service is not known. */
export async function instancesOf(
  service: string,
  { registry, registryToken, answerBy }: RegistryAccess,
): Promise<ListedInstance[]> {
  const access = { registry, registryToken, answerBy };
  try {
    return (await callRegistry('getService', { ...access, parameters: { service } })).instances;
  } catch (error) {
    if (hasCode(error, 'service_not_found')) return [];
    throw error;
  }
}

/** @returns false where the registry knows no such instance */
async function remove(service: string, id: string, options: UnregisterOptions): Promise<boolean> {
  const { registry, registryToken, answerBy, runId, reason = 'reg unregister' } = options;
  const access = { registry, registryToken, answerBy };
  const parameters = { service, id };
  try {
    await namingRun(runId, (run) =>
      callRegistry('unregister', { ...access, parameters, query: { ...run, reason } }),
    );
    return true;
  } catch (error) {
    if (hasCode(error, 'instance_not_found')) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: ProblemCode): boolean {
  return isRegError(error) && error.code === code;
}
