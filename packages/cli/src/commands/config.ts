// `reg config`: the settings of a command as they are in effect, and where each comes from. Read off the flags
// themselves, by the same parser, so a new flag is here without a word.
import { Command, InvalidArgumentError, Option } from 'commander';
import { printJson, printLine } from '../print.ts';
import { dataFolder } from '../secret-file.ts';
import { shownStore } from '../store.ts';
import { table } from '../table.ts';

export interface ConfigOptions {
  readonly showOrigin?: boolean;
  readonly json?: boolean;
}

interface Setting {
  readonly flag: string;
  readonly environment: string | undefined;
  /** Null: it has none. A secret is `(set)`. */
  readonly value: unknown;
  readonly origin: 'default' | 'environment' | 'flag';
}

/** @param words a command's name, if not `up`, and its flags */
export function config(words: readonly string[], options: ConfigOptions, commands: readonly Command[]): void {
  const [first] = words;
  const named = first !== undefined && !first.startsWith('-');
  const name = named ? first : 'up';
  const group = commands.find((one) => one.name() === name);
  const below = group?.commands.find((one) => one.name() === words[1]);
  const command = below ?? group;
  if (!command) throw new InvalidArgumentError(`there is no command ${name}: reg --help lists them`);
  const settings = settingsOf(command, words.slice(named ? (below ? 2 : 1) : 0));
  if (options.json) {
    printJson({ command: below ? `${name} ${below.name()}` : name, settings });
    return;
  }
  const rows = settings.map(({ flag, environment, value, origin }) => {
    const from = { default: 'default', environment: `environment ${environment}`, flag: `flag ${flag}` };
    return [flag, shown(value), ...(options.showOrigin ? [from[origin]] : [])];
  });
  const head = ['SETTING', 'VALUE', ...(options.showOrigin ? ['ORIGIN'] : [])];
  for (const line of table([head, ...rows])) printLine(line);
}

function settingsOf(command: Command, flags: readonly string[]): Setting[] {
  const probe = new Command(command.name())
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .allowExcessArguments()
    .action(() => undefined);
  for (const option of command.options) {
    const copy: Option = Object.assign(new Option(option.flags), option);
    probe.addOption(copy.makeOptionMandatory(false)); // what is missing is shown as missing
  }
  probe.parse(flags, { from: 'user' });
  return command.options.flatMap((option) => {
    if (option.long === '--version' && option.envVar === undefined) return []; // commander's own
    const value = effectiveValue(option, probe);
    return {
      flag: option.long ?? option.flags,
      environment: option.envVar,
      value: isSecret(option) && value !== null ? '(set)' : withoutCredentials(value),
      origin: originOf(probe.getOptionValueSource(option.attributeName())),
    };
  });
}

/** A switch that nobody turned on is off. */
function effectiveValue(option: Option, probe: Command): unknown {
  const name = option.attributeName();
  const off = option.required || option.optional ? null : false;
  return probe.getOptionValue(name) ?? workedOut[name]?.() ?? off;
}

/** Defaults that a command works out when it starts. */
const workedOut: Readonly<Record<string, () => unknown>> = {
  data: () => dataFolder(undefined),
  log: () => (process.stderr.isTTY ? 'pretty' : 'json'),
};

function originOf(source: string | undefined): Setting['origin'] {
  if (source === 'cli') return 'flag';
  return source === 'env' ? 'environment' : 'default';
}

/** By its name, so that a flag which is added later is not shown by mistake. A folder or a port is none. */
function isSecret({ long, required, optional }: Option): boolean {
  return (required || optional) && /(^|-)(secret|token|password|key|credentials?)$/.test(long ?? '');
}

/** `http://user:password@host` shows the host alone. */
function withoutCredentials(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.startsWith('mongodb') ? shownStore(value) : value.replace(/\/\/[^/@\s]*@/g, '//');
}

function shown(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
