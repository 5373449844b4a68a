// commander looks for what is missing before it looks at what is misspelt, and would tell who wrote `--ulr` that there
// is no `--url`.
import { type Command, CommanderError } from 'commander';

/** @returns in the place of `error`, which says that a flag is missing, one that says first which flag is none */
export function misspeltFlag(
  error: unknown,
  program: Command,
  args: readonly string[],
): CommanderError | undefined {
  const isMissing = error instanceof CommanderError && error.code === 'commander.missingMandatoryOptionValue';
  const flag = isMissing ? unknownFlag(program, args) : undefined;
  if (!isMissing || flag === undefined) return undefined;
  const missing = error.message.replace(/^error: /, '');
  return new CommanderError(1, 'commander.unknownOption', `unknown option '${flag}'; ${missing}`);
}

/** The first that its command does not know; the flags of a program that is to be run are its own. */
function unknownFlag(program: Command, args: readonly string[]): string | undefined {
  let command = program;
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    const subcommand = command.commands.find((one) => one.name() === arg);
    if (subcommand) {
      command = subcommand;
    } else if (arg.startsWith('-') && arg !== '--') {
      const [name = '', value] = arg.split('=', 2);
      const option = command.options.find((one) => one.long === name || one.short === name);
      if (!option) return name;
      if (option.required && value === undefined) at += 1;
    } else if (arg === '--' || command.registeredArguments.some(({ variadic }) => variadic)) {
      return undefined;
    }
  }
  return undefined;
}
