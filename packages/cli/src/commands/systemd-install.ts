// `reg systemd install`: writes a unit that runs a service and lists it, or a drop-in that lists one that is there.
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { slug } from '@reg/schema';
import { InvalidArgumentError } from 'commander';
import { note, printJson, printLine } from '../print.ts';
import { commandWords } from '../systemd/command-words.ts';
import { unitPath, writeUnit } from '../systemd/own-units.ts';
import {
  type Scope,
  type ScopeFlags,
  scopeOf,
  systemctl,
  systemctlWords,
  unitFolder,
} from '../systemd/scope.ts';
import { dropIn, type ListedUnit, type RunUnit, serviceUnit } from '../systemd/service-unit.ts';

export interface SystemdInstallOptions extends ScopeFlags {
  readonly exec?: string;
  readonly dropIn?: string;
  readonly template?: boolean;
  readonly host: string;
  readonly port?: number;
  readonly url: string;
  readonly endpoint?: string;
  readonly health?: string;
  readonly roles?: readonly string[];
  readonly anyRole?: readonly string[];
  readonly public?: boolean;
  readonly version?: string;
  readonly zone?: string;
  readonly tag?: readonly string[];
  readonly directory?: string;
  readonly env?: readonly string[];
  readonly runAs?: string;
  readonly registry: string;
  readonly print?: boolean;
  readonly now?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function systemdInstall(name: string, options: SystemdInstallOptions): Promise<void> {
  const scope = scopeOf(options);
  const { unit, text } = unitOf(name, options, scope);
  if (options.print) {
    process.stdout.write(text);
    return;
  }
  const path = unitPath(unitFolder(scope), unit, options.dropIn !== undefined);
  if (options.dropIn !== undefined) await requireUnit(scope, unit);
  await writeUnit(path, text, options.force ?? false);
  const reloaded = await systemctl(scope, 'daemon-reload');
  if (!reloaded.ok) note(`written, and not loaded yet: ${reloaded.stderr}`);
  if (options.now) await start(scope, unit, options.dropIn !== undefined);
  if (options.json) printJson({ service: name, unit, path, scope });
  else for (const line of nextSteps(unit, path, scope, options)) printLine(line);
}

/** The unit's name and its text. @throws InvalidArgumentError for what no unit can say */
function unitOf(name: string, options: SystemdInstallOptions, scope: Scope): { unit: string; text: string } {
  const { exec, dropIn: existing, template = false } = options;
  if ((exec === undefined) === (existing === undefined)) {
    throw new InvalidArgumentError('give --exec for a unit of its own, or --drop-in for one that is there');
  }
  const unit =
    existing === undefined ? `${slug(name)}${template ? '@' : ''}.service` : serviceNameOf(existing);
  const isTemplate = unit.endsWith('@.service');
  if (options.port === undefined && !isTemplate) {
    throw new InvalidArgumentError("required option '--port <port>' not specified");
  }
  if (options.port !== undefined && isTemplate) {
    throw new InvalidArgumentError('--port is of one instance: of a template it is what stands after the @');
  }
  const listed: ListedUnit = {
    ...{ name, scope, template: isTemplate, slug: slug(name) },
    reg: regCommand(),
    host: options.host,
    port: options.port,
    url: options.url,
    endpoint: options.endpoint ?? `http://{host}:{port}${options.url === '/' ? '' : options.url}`,
    health: options.health?.startsWith('/') ? `http://{host}:{port}${options.health}` : options.health,
    flags: flagsOf(options),
    registry: options.registry,
  };
  return { unit, text: exec === undefined ? dropIn(listed) : serviceUnit(runUnit(listed, exec, options)) };
}

function runUnit(listed: ListedUnit, exec: string, options: SystemdInstallOptions): RunUnit {
  const { directory, env = [], runAs } = options;
  const [program = '', ...args] = commandWords(exec);
  const environment = env.map((pair) => {
    const [, key, value = ''] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(pair) ?? [];
    if (key === undefined) throw new InvalidArgumentError(`--env needs KEY=value, not ${pair}`);
    return [key, value] as const;
  });
  if (runAs !== undefined && listed.scope === 'user') {
    throw new InvalidArgumentError('--run-as is for the system’s manager: units of a user run as that user');
  }
  return {
    ...listed,
    command: [programPath(program), ...args],
    // Only where the command means files of it: else the unit would need a folder that it does not use.
    directory: directory === undefined ? folderOfFiles(args) : resolve(directory),
    runAs,
    environment,
  };
}

function folderOfFiles(args: readonly string[]): string | undefined {
  const here = process.cwd();
  return args.some((one) => !isAbsolute(one) && !one.startsWith('-') && existsSync(join(here, one)))
    ? here
    : undefined;
}

/** systemd looks in few folders, and not where nvm or a project keeps programs: so its whole path is written. */
function programPath(program: string): string {
  if (/[$%\p{Cc}]/u.test(program)) throw new InvalidArgumentError(`--exec: no unit can start ${program}`);
  const candidates = program.includes('/')
    ? [resolve(program)]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => resolve(folder, program));
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`--exec: there is no program ${program}`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Where `reg` and `node` are on systemd's own path, its name is enough; else both are named as they run here. */
function regCommand(): string[] {
  const script = realpathSync(process.argv[1] ?? fileURLToPath(import.meta.url));
  for (const folder of ['/usr/local/bin', '/usr/bin']) {
    const installed = join(folder, 'reg');
    const isThis = isProgram(installed) && realpathSync(installed) === script;
    if (isThis && (isProgram('/usr/local/bin/node') || isProgram('/usr/bin/node'))) return [installed];
  }
  return [process.execPath, script];
}

function flagsOf({
  roles,
  anyRole,
  public: isPublic,
  version,
  zone,
  tag = [],
}: SystemdInstallOptions): string[] {
  return [
    ...(roles ? ['--roles', roles.join(',')] : []),
    ...(anyRole ? ['--any-role', anyRole.join(',')] : []),
    ...(isPublic ? ['--public'] : []),
    ...(version === undefined ? [] : ['--version', version]),
    ...(zone === undefined ? [] : ['--zone', zone]),
    ...tag.flatMap((one) => ['--tag', one]),
  ];
}

function serviceNameOf(text: string): string {
  const unit = text.endsWith('.service') ? text : `${text}.service`;
  if (/^[A-Za-z0-9:_.\\@-]{1,247}\.service$/.test(unit)) return unit;
  throw new InvalidArgumentError(`--drop-in must name a service unit, not ${text}`);
}

async function requireUnit(scope: Scope, unit: string): Promise<void> {
  const asked = unit.replace('@.', '@1.'); // a template itself is never loaded
  const { ok, stdout } = await systemctl(scope, 'show', '--property=LoadState', '--value', asked);
  if (!ok || stdout !== 'not-found') return;
  throw new InvalidArgumentError(`--drop-in: there is no unit ${unit}`);
}

async function start(scope: Scope, unit: string, isThere: boolean): Promise<void> {
  if (unit.endsWith('@.service'))
    throw new InvalidArgumentError('--now: say which: systemctl start NAME@PORT');
  const done = await systemctl(scope, ...(isThere ? ['restart', unit] : ['enable', '--now', unit]));
  if (!done.ok) throw new InvalidArgumentError(`${unit} is installed and did not start: ${done.stderr}`);
}

function nextSteps(
  unit: string,
  path: string,
  scope: Scope,
  { dropIn: existing, now }: SystemdInstallOptions,
): string[] {
  const written = `written   ${path}`;
  if (now) return [written, `started   ${unit}`];
  const verb = existing === undefined ? 'enable --now' : 'restart';
  const which = unit.replace('@.service', '@PORT.service');
  return [written, `next      ${systemctlWords(scope)} ${verb} ${which}`];
}
