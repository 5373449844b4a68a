// `reg load`: somebody knows that a service has much to do, or no more.
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { printJson, printLine } from '../print.ts';

export interface LoadOptions extends RegistryAccess {
  /** In milliseconds. */
  readonly for?: number;
  readonly by?: string;
  readonly json?: boolean;
}

export async function load(service: string, level: string, options: LoadOptions): Promise<void> {
  const { registry, registryToken, for: forMs, by, json } = options;
  if (level !== 'high' && level !== 'normal') {
    throw new InvalidArgumentError(`load is high or normal, not ${level}`);
  }
  const body = { level, forMs, by };
  await callRegistry('reportLoad', { registry, registryToken, parameters: { service }, body });
  if (json) printJson({ name: service, level, forMs: forMs ?? 60_000 });
  else printLine(`load ${level}  ${service}`);
}
