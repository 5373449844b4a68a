// `reg systemd remove`: takes away what `reg systemd install` wrote for a service. Safe to repeat.
import { slug } from '@reg/schema';
import { note, printJson, printLine } from '../print.ts';
import { type OwnUnit, ownUnits, removeUnit } from '../systemd/own-units.ts';
import { type Scope, type ScopeFlags, scopeOf, systemctl, unitFolder } from '../systemd/scope.ts';

export interface SystemdRemoveOptions extends ScopeFlags {
  readonly json?: boolean;
}

/** Its own units are stopped, which unlists them; a unit that only has our drop-in runs on as it is. */
export async function systemdRemove(name: string, options: SystemdRemoveOptions): Promise<void> {
  const scope = scopeOf(options);
  const folder = unitFolder(scope);
  const all = await ownUnits(folder);
  const found = all.filter(({ service }) => service === name || slug(service) === slug(name));
  for (const unit of found) {
    if (!unit.dropIn) await stop(scope, unit);
    await removeUnit(unit);
  }
  if (found.length > 0) {
    const reloaded = await systemctl(scope, 'daemon-reload');
    if (!reloaded.ok) note(`removed, and not unloaded yet: ${reloaded.stderr}`);
  }
  if (options.json) printJson({ service: name, removed: found.map(({ path }) => path) });
  else if (found.length === 0) printLine(`nothing of ours for ${name} in ${folder}`);
  else for (const { path } of found) printLine(`removed  ${path}`);
}

async function stop(scope: Scope, { unit }: OwnUnit): Promise<void> {
  const running = unit.endsWith('@.service') ? unit.replace('@.service', '@*.service') : unit;
  const stopped = await systemctl(scope, 'stop', running);
  const disabled = await systemctl(scope, 'disable', unit);
  for (const { ok, stderr } of [stopped, disabled]) if (!ok) note(stderr);
}
