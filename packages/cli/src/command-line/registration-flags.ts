// What an instance says of itself, as flags: of every command that lists one.
import type { Option } from 'commander';
import { collect, flag, listOf, momentOf } from '../options.ts';

/** Its path at the gateway, and who may call it there. */
export const pathAndRolesFlags = (): Option[] => [
  flag('--url <path>', 'its path at the gateway').makeOptionMandatory(),
  flag('--roles <a,b>', 'a caller must have all; without: any valid token').argParser(listOf),
  flag('--any-role <a,b>', 'a caller must have one of these').argParser(listOf).conflicts('roles'),
  flag('--public', 'callers need no token').conflicts(['roles', 'anyRole']),
];

export const partsFlags = (): Option[] => [
  flag('--type <type>', 'http (default), http-get, http-post, amqp; repeatable, for each endpoint').argParser(
    collect,
  ),
  flag('--merge', 'answer with one JSON object of what all its endpoints say'),
  flag(
    '--as <name>',
    'with --merge: its key in the object, - for none; repeated for each endpoint',
  ).argParser(collect),
  flag('--partial <rule>', 'with --merge, where an endpoint fails (default: refuse)').choices([
    'allow',
    'refuse',
  ]),
];

/** What is told to whoever asks. */
export const detailFlags = (): Option[] => [
  flag('--version <text>', 'of the instance'),
  flag('--zone <name>', 'where the instance is'),
  flag('--tag <text>', 'repeatable').argParser(collect),
  flag('--meta <key=value>', 'repeatable').argParser(collect),
  flag('--owner <text>', 'who looks after it'),
  flag('--sunset <date>', 'it is deprecated, and ends then: 2027-01-31').argParser(momentOf),
  flag('--redefine', 'change url, roles or access for all instances'),
];
