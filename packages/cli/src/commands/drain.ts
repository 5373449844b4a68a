// `reg drain`: an instance finishes what it has and gets nothing new. Safe to repeat.
import { regError } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { namingRun } from '../naming-run.ts';
import { printJson, printLine } from '../print.ts';
import { requireKnown, waitQuery } from '../wait-for-gateways.ts';
import { instancesOf } from './unregister.ts';

export interface DrainOptions extends RegistryAccess {
  readonly id?: string;
  readonly runId?: string;
  readonly reason?: string;
  readonly wait?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** With a run id a later run of the instance is left alone; without one an operator means whatever runs there. */
export async function drain(service: string, options: DrainOptions): Promise<void> {
  const { registry, registryToken, runId, reason = 'reg drain', wait, quiet, json } = options;
  const id = options.id ?? (await instanceIdOf(service, options));
  const access = { registry, registryToken, parameters: { service, id } };
  const reply = await namingRun(runId, (run) =>
    callRegistry('drain', { ...access, query: { ...run, reason, ...waitQuery(wait) } }),
  );
  if (json) printJson({ name: service, instanceId: id, ...reply });
  else if (!quiet) printLine(`draining  ${service}  ${id}`);
  requireKnown(reply.missing);
}

async function instanceIdOf(service: string, options: DrainOptions): Promise<string> {
  const { runId } = options;
  if (runId === undefined) throw new InvalidArgumentError('say which instance: --id or --run-id');
  const found = (await instancesOf(service, options)).find((instance) => instance.runId === runId);
  if (found) return found.instanceId;
  throw regError('instance_not_found', `${service} has no instance of the run ${runId}`);
}
