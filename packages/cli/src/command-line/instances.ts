// The commands about one instance: register, unregister, drain.
import type { Command } from 'commander';
import type { DrainOptions } from '../commands/drain.ts';
import type { RegisterOptions } from '../commands/register.ts';
import type { UnregisterOptions } from '../commands/unregister.ts';
import {
  collect,
  flag,
  jsonFlag,
  leaseOf,
  nameOf,
  quietFlag,
  reasonOf,
  registryFlag,
  registryTokenFlag,
  retryFlag,
  runIdFlag,
  waitFlag,
  waitForFlags,
} from '../options.ts';
import { addFlags } from './add-flags.ts';
import { detailFlags, partsFlags, pathAndRolesFlags } from './registration-flags.ts';

export function addInstanceCommands(program: Command): void {
  addRegister(program);
  addUnregister(program);
  addDrain(program);
}

function addRegister(program: Command): void {
  const command = program
    .command('register')
    .description('list an instance of a service')
    .argument('<name>', 'of the service: free text', nameOf);
  addFlags(command, [
    ...pathAndRolesFlags(),
    flag('--endpoint <url>', 'where the instance is; repeatable').argParser(collect).makeOptionMandatory(),
    ...partsFlags(),
    flag('--id <id>', 'of the instance (default: host-port of the first endpoint)').argParser(nameOf),
    runIdFlag(),
    flag('--lease <time>', 'none, or a time: stay, and keep the lease').argParser(leaseOf).default('none'),
    ...detailFlags(),
    flag('--this-boot', 'say machine and boot, and take out what an earlier boot of it left'),
    ...waitForFlags(),
    retryFlag(),
    waitFlag(),
    registryFlag(),
    registryTokenFlag(),
    quietFlag(),
    jsonFlag(),
  ]).action(async (name: string, options: RegisterOptions) => {
    await (await import('../commands/register.ts')).register(name, options);
  });
}

function addUnregister(program: Command): void {
  const command = program
    .command('unregister')
    .description('take an instance out')
    .argument('<name>', 'of the service', nameOf);
  addFlags(command, [
    flag('--id <id>', 'of the instance; not needed where there is only one').argParser(nameOf),
    runIdFlag(),
    flag('--reason <text>', 'why (default: reg unregister)').argParser(reasonOf),
    retryFlag(),
    registryFlag(),
    registryTokenFlag(),
    quietFlag(),
    jsonFlag(),
  ]).action(async (name: string, options: UnregisterOptions) => {
    await (await import('../commands/unregister.ts')).unregister(name, options);
  });
}

function addDrain(program: Command): void {
  const command = program
    .command('drain')
    .description('let an instance finish what it has, and send it nothing new')
    .argument('<name>', 'of the service', nameOf);
  addFlags(command, [
    flag('--id <id>', 'of the instance; not needed with --run-id').argParser(nameOf),
    runIdFlag(),
    flag('--reason <text>', 'why (default: reg drain)').argParser(reasonOf),
    waitFlag(),
    registryFlag(),
    registryTokenFlag(),
    quietFlag(),
    jsonFlag(),
  ]).action(async (name: string, options: DrainOptions) => {
    await (await import('../commands/drain.ts')).drain(name, options);
  });
}
