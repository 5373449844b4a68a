// commander answers `help bogus` and `bogus --help` with the help of the whole program, and says not why.
import type { Command } from 'commander';

/** @returns `args`, cut after the first word that should be a command and is none: commander refuses that by its name */
export function namedCommand(program: Command, args: readonly string[]): readonly string[] {
  const path: string[] = [];
  let group = program;
  for (const word of args) {
    if (group.commands.length === 0 || word.startsWith('-')) return args;
    if (word === 'help') continue;
    const command = group.commands.find((one) => one.name() === word);
    path.push(word);
    if (!command) return path;
    group = command;
  }
  return args;
}
