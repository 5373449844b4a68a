// `reg systemd status`: what we installed here, whether it runs, and whether the registry lists that very run.
import { isRegError, regError } from '@reg/schema/problem';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { note, printJson, printLine } from '../print.ts';
import { type OwnUnit, ownUnits } from '../systemd/own-units.ts';
import { type Scope, type ScopeFlags, scopeOf, systemctl, unitFolder } from '../systemd/scope.ts';
import { table } from '../table.ts';

export interface SystemdStatusOptions extends ScopeFlags, RegistryAccess {
  readonly json?: boolean;
}

interface UnitStatus {
  readonly service: string;
  readonly unit: string;
  readonly dropIn: boolean;
  /** As systemd says it: `active`, `failed`, … */
  readonly state: string;
  /** The instance of this run. Null: none; undefined: no registry answers. */
  readonly instanceId: string | null | undefined;
}

/** Exit 1 where what runs is not listed. @throws `instance_not_found` then, `registry_unavailable` */
export async function systemdStatus(options: SystemdStatusOptions): Promise<void> {
  const scope = scopeOf(options);
  const runs = await listedRuns(options);
  const statuses: UnitStatus[] = [];
  for (const own of await ownUnits(unitFolder(scope))) {
    for (const unit of await unitsOf(scope, own)) statuses.push(await statusOf(scope, own, unit, runs));
  }
  if (options.json) printJson(statuses);
  else {
    const head = ['SERVICE', 'UNIT', 'STATE', 'LISTED'];
    const rows = statuses.map(({ service, unit, dropIn, state, instanceId }) => {
      const listed = instanceId === undefined ? 'not known' : (instanceId ?? 'no');
      return [service, dropIn ? `${unit} (drop-in)` : unit, state, listed];
    });
    for (const line of table([head, ...rows])) printLine(line);
  }
  const unlisted = statuses.filter(({ state, instanceId }) => state === 'active' && instanceId === null);
  if (unlisted.length > 0) {
    const units = unlisted.map(({ unit }) => unit).join(', ');
    throw regError('instance_not_found', `these run and are not listed: ${units}`);
  }
}

/** The instance of each run that is listed; undefined where no registry answers, which is told. */
async function listedRuns({
  registry,
  registryToken,
}: RegistryAccess): Promise<Map<string, string> | undefined> {
  try {
    const { services } = await callRegistry('listServices', { registry, registryToken });
    const instances = services.flatMap((service) => service.instances);
    return new Map(instances.flatMap(({ runId, instanceId }) => (runId ? [[runId, instanceId]] : [])));
  } catch (error) {
    if (!isRegError(error) || error.code !== 'registry_unavailable') throw error;
    note(error.message);
    return undefined;
  }
}

/** Of a template those that systemd knows at the moment. */
async function unitsOf(scope: Scope, { unit }: OwnUnit): Promise<string[]> {
  if (!unit.endsWith('@.service')) return [unit];
  const pattern = unit.replace('@.service', '@*.service');
  const { stdout } = await systemctl(scope, 'list-units', '--all', '--plain', '--no-legend', pattern);
  return stdout.split('\n').flatMap((line) => /^\s*(\S+\.service)\s/.exec(line)?.[1] ?? []);
}

async function statusOf(
  scope: Scope,
  { service, dropIn }: OwnUnit,
  unit: string,
  runs: Map<string, string> | undefined,
): Promise<UnitStatus> {
  const properties = '--property=ActiveState,InvocationID';
  const { ok, stdout } = await systemctl(scope, 'show', properties, unit);
  const [, state] = /^ActiveState=(.*)$/m.exec(stdout) ?? [];
  const [, run = ''] = /^InvocationID=(.*)$/m.exec(stdout) ?? [];
  const instanceId = runs && (runs.get(run) ?? null);
  return { service, unit, dropIn, state: (ok && state) || 'not known', instanceId };
}
