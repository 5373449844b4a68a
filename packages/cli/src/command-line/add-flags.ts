import type { Command, Option } from 'commander';

/** In this order, as `--help` shows them. @returns the command */
export function addFlags(command: Command, flags: readonly Option[]): Command {
  for (const option of flags) command.addOption(option);
  return command;
}
