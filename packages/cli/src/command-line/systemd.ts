// `reg systemd …`: units that list services which know nothing of us.
import { type Command, Option } from 'commander';
import type { SystemdInstallOptions } from '../commands/systemd-install.ts';
import type { SystemdRemoveOptions } from '../commands/systemd-remove.ts';
import type { SystemdStatusOptions } from '../commands/systemd-status.ts';
import { collect, flag, jsonFlag, nameOf, portOf, registryFlag, registryTokenFlag } from '../options.ts';
import { addFlags } from './add-flags.ts';
import { pathAndRolesFlags } from './registration-flags.ts';

/** Without environment names: `USER`-like settings of a shell must not choose whose manager is meant. */
const scopeFlags = () => [
  new Option('--user', 'units of the user who calls (default, but for root)'),
  new Option('--system', 'units of the machine (default for root)').conflicts('user'),
];

export function addSystemdCommands(program: Command): void {
  const systemd = program.command('systemd').description('units that list services which know nothing of us');

  const install = systemd
    .command('install')
    .description('write a unit that runs a service and lists it')
    .argument('<name>', 'of the service: free text', nameOf);
  addFlags(install, [
    flag('--exec <command>', 'what runs; {port} in it is the port; no shell reads it'),
    flag('--drop-in <unit>', 'instead: list what this unit runs, and leave its file alone').conflicts([
      'exec',
      'template',
    ]),
    flag('--template', 'NAME@.service, for many instances: NAME@3001 is the one on port 3001'),
    flag(
      '--port <port>',
      'where it listens; not of a template, whose instances are named by theirs',
    ).argParser(portOf),
    flag('--host <address>', 'where it listens and is reached').default('127.0.0.1'),
    ...pathAndRolesFlags(),
    flag('--endpoint <url>', 'where it is reached (default: http://HOST:PORT and the path)'),
    flag('--health <url>', 'listed once this answers, a path or a URL (default: once it takes a connection)'),
    flag('--version <text>', 'of the instance'),
    flag('--zone <name>', 'where the instance is'),
    flag('--tag <text>', 'repeatable').argParser(collect),
    flag('--directory <folder>', 'where it runs (default: this one, if the command names a file of it)'),
    flag('--env <KEY=value>', 'of its environment; repeatable').argParser(collect),
    flag('--run-as <user>', 'of the machine’s units (default: a user made at its start)'),
    ...scopeFlags(),
    registryFlag(),
    flag('--now', 'and start it, now and at each boot'),
    flag('--print', 'print it, and write nothing').conflicts('now'),
    flag('--force', 'write over a file that is not ours, or was changed by hand'),
    jsonFlag(),
  ]).action(async (name: string, options: SystemdInstallOptions) => {
    await (await import('../commands/systemd-install.ts')).systemdInstall(name, options);
  });

  const remove = systemd
    .command('remove')
    .description('stop what was installed for a service, and take its unit away')
    .argument('<name>', 'of the service', nameOf);
  addFlags(remove, [...scopeFlags(), jsonFlag()]).action(
    async (name: string, options: SystemdRemoveOptions) => {
      await (await import('../commands/systemd-remove.ts')).systemdRemove(name, options);
    },
  );

  const status = systemd
    .command('status')
    .description('what was installed, whether it runs, and whether that run is listed; exit 0: all is');
  addFlags(status, [...scopeFlags(), registryFlag(), registryTokenFlag(), jsonFlag()]).action(
    async (options: SystemdStatusOptions) => {
      await (await import('../commands/systemd-status.ts')).systemdStatus(options);
    },
  );
}
