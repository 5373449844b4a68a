// `reg policy check`: what is wrong with policy files, by line. `reg policy show`: what is in force for a service.
import { readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { type BrokenFile, explainPolicy, type Policy, parsePolicy, readPolicyFolder } from '@reg/registrar';
import type { ServicePolicy } from '@reg/schema';
import { isRegError } from '@reg/schema/problem';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { exitCodes } from '../exit-code.ts';
import { note, printJson, printLine } from '../print.ts';
import { table } from '../table.ts';

export interface PolicyCheckOptions {
  readonly json?: boolean;
}

export async function checkPolicies(path: string, { json }: PolicyCheckOptions): Promise<void> {
  const { count, broken } = await readPolicies(path);
  const faults = broken.flatMap(({ file, faults }) => faults.map((fault) => ({ file, ...fault })));
  process.exitCode = faults.length === 0 ? exitCodes.ok : exitCodes.failed;
  if (json) return printJson({ policies: count, faults });
  for (const { file, line, column, path, message } of faults)
    printLine(`${file}:${line}:${column}: ${[path, message].filter((part) => part !== '').join(' ')}`);
  if (faults.length === 0) note(`${count} ${count === 1 ? 'policy' : 'policies'}, nothing wrong`);
}

async function readPolicies(path: string): Promise<{ count: number; broken: readonly BrokenFile[] }> {
  if ((await stat(path)).isDirectory()) {
    const { policies, broken } = await readPolicyFolder(path);
    return { count: policies.size, broken: broken.map((one) => ({ ...one, file: join(path, one.file) })) };
  }
  const parsed = parsePolicy(await readFile(path, 'utf8'), basename(path, extname(path)));
  if ('policy' in parsed) return { count: 1, broken: [] };
  return { count: 0, broken: [{ file: path, faults: parsed.faults, hasLastGood: false }] };
}

export interface PolicyShowOptions extends RegistryAccess {
  readonly policies?: string;
  readonly json?: boolean;
}

export async function showPolicy(service: string, options: PolicyShowOptions): Promise<void> {
  const policy = options.policies === undefined ? undefined : await policyIn(options.policies, service);
  const kept = await keptPolicy(service, options, policy !== undefined);
  const values = explainPolicy(policy, kept);
  if (options.json) return printJson({ name: service, values });
  const rows = values.map(({ path, value, origin }) => [
    path,
    typeof value === 'string' ? value : JSON.stringify(value),
    origin,
  ]);
  for (const line of table([['SETTING', 'VALUE', 'ORIGIN'], ...rows])) printLine(line);
}

async function policyIn(folder: string, service: string): Promise<Policy | undefined> {
  const { policies, broken } = await readPolicyFolder(folder);
  for (const { file } of broken) note(`${join(folder, file)} is broken: reg policy check says where`);
  return policies.get(service);
}

/** A service that is not there has none. Where a file was read, a registry that is away only leaves it at that. */
async function keptPolicy(
  service: string,
  { registry, registryToken }: RegistryAccess,
  hasFile: boolean,
): Promise<ServicePolicy | undefined> {
  try {
    const { policy } = await callRegistry('getService', { registry, registryToken, parameters: { service } });
    return policy;
  } catch (error) {
    if (!isRegError(error) || !hasFile) throw error;
    if (error.code === 'service_not_found') return undefined;
    if (error.code !== 'registry_unavailable') throw error;
    note(`what the registry keeps is not known: ${error.message}`);
    return undefined;
  }
}
