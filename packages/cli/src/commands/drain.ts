// `reg drain`: an instance finishes what it has and gets nothing new. Safe to repeat.
import { callRegistry, type RegistryAccess } from '../api.ts';
import { printJson, printLine } from '../print.ts';
import { requireKnown, waitQuery } from '../wait-for-gateways.ts';

export interface DrainOptions extends RegistryAccess {
  readonly id: string;
  readonly runId?: string;
  readonly reason: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** With a run id a later run of the instance is left alone; without one an operator means whatever runs there. */
export async function drain(service: string, options: DrainOptions): Promise<void> {
  const { registry, registryToken, id, runId, reason, wait, json } = options;
  const run = runId === undefined ? { force: true } : { runId };
  const query = { ...run, reason, ...waitQuery(wait) };
  const reply = await callRegistry('drain', { registry, registryToken, parameters: { service, id }, query });
  if (json) printJson({ name: service, instanceId: id, ...reply });
  else printLine(`draining  ${service}  ${id}`);
  requireKnown(reply.missing);
}
