// `reg run -- node server.js`: its flags.
import type { Command } from 'commander';
import type { RunOptions } from '../commands/run.ts';
import { flag, keptLeaseOf, nameOf, portOf, registryFlag, registryTokenFlag } from '../options.ts';
import { restartRules } from '../restart-rule.ts';
import { addFlags } from './add-flags.ts';
import { detailFlags, pathAndRolesFlags } from './registration-flags.ts';

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('run a program, and list it while it answers')
    .argument('<command...>', 'what runs, after --; {port} in it is the port')
    .passThroughOptions();
  addFlags(command, [
    flag('--name <name>', 'of the service: free text').argParser(nameOf).makeOptionMandatory(),
    ...pathAndRolesFlags(),
    flag('--port <port>', 'where it listens, given to it as PORT (default: any free one)')
      .argParser(portOf)
      .default(0, 'any'),
    flag('--host <address>', 'where it listens and is reached, given to it as HOST').default('127.0.0.1'),
    flag('--endpoint <url>', 'where it is reached (default: http://HOST:PORT and the path)'),
    flag('--health <url>', 'listed once this answers, a path or a URL (default: once it takes a connection)'),
    flag('--id <id>', 'of the instance (default: host-port of the endpoint)').argParser(nameOf),
    flag('--lease <time>', 'how long it stays listed where we cannot renew')
      .argParser(keptLeaseOf)
      .default({ ttlMs: 10_000 }, '10s'),
    ...detailFlags(),
    flag('--restart <rule>', 'when it is started again').choices(restartRules).default('no'),
    registryFlag(),
    registryTokenFlag(),
  ]).action(async (words: string[], options: RunOptions) => {
    await (await import('../commands/run.ts')).run(words, options);
  });
}
