// `reg registrar` and `reg policy`: their flags.
import type { Command } from 'commander';
import type { PolicyCheckOptions, PolicyShowOptions } from '../commands/policy.ts';
import type { RegistrarCommandOptions } from '../commands/registrar.ts';
import { durationOf, flag, jsonFlag, nameOf, registryFlag, registryTokenFlag } from '../options.ts';
import { addFlags } from './add-flags.ts';

const policiesFlag = () => flag('--policies <folder>', 'with a policy file for each service: tickets.yaml');

export function addRegistrarCommands(program: Command): void {
  const registrar = program
    .command('registrar')
    .description('register what does not register itself, by a policy for each service');
  addFlags(registrar, [
    policiesFlag().makeOptionMandatory(),
    flag('--name <name>', 'what it registers is registrar:<name>’s (default: the machine’s name)'),
    flag('--lease <time>', 'for how long what it registered stays listed without it')
      .argParser(durationOf)
      .default(15_000, '15s'),
    registryFlag(),
    registryTokenFlag(),
    flag('--log <form>', 'on stderr (default: pretty on a terminal, else json)').choices(['json', 'pretty']),
    jsonFlag(),
  ]).action(async (options: RegistrarCommandOptions) => {
    await (await import('../commands/registrar.ts')).registrar(options);
  });

  const policy = program.command('policy').description('what policies say');
  const check = policy
    .command('check')
    .description('what is wrong with a policy file, or with all of a folder; exit 0: nothing is')
    .argument('<path>', 'a file or a folder');
  addFlags(check, [jsonFlag()]).action(async (path: string, options: PolicyCheckOptions) => {
    await (await import('../commands/policy.ts')).checkPolicies(path, options);
  });
  const show = policy
    .command('show')
    .description('every value that is in force for a service, and where it comes from')
    .argument('<name>', 'of the service', nameOf);
  addFlags(show, [policiesFlag(), registryFlag(), registryTokenFlag(), jsonFlag()]).action(
    async (name: string, options: PolicyShowOptions) => {
      await (await import('../commands/policy.ts')).showPolicy(name, options);
    },
  );
}
