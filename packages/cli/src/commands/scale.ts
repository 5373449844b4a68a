// `reg scale`: how many instances there should be, said by hand. Safe to repeat.
import { InvalidArgumentError } from 'commander';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { printJson, printLine } from '../print.ts';

export interface ScaleOptions extends RegistryAccess {
  /** Back to what the policy says. */
  readonly policy?: boolean;
  readonly json?: boolean;
}

/** @throws InvalidArgumentError where neither a number nor `--policy` was given, or both */
export async function scale(
  service: string,
  count: number | undefined,
  options: ScaleOptions,
): Promise<void> {
  const { registry, registryToken, policy = false, json } = options;
  if (policy === (count !== undefined))
    throw new InvalidArgumentError('either a number of instances is needed, or --policy');
  const instances = count ?? null;
  const reply = await callRegistry('scale', {
    registry,
    registryToken,
    parameters: { service },
    body: { instances },
  });
  if (json) printJson({ name: service, instances, ...reply });
  else printLine(`scaled  ${service}  ${instances ?? 'as its policy says'}`);
}
