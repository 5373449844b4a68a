// Flags that several commands share, and how a flag's text becomes a value.
import { parseDurationMs } from '@reg/schema/duration';
import { parseNetworks } from '@reg/schema/networks';
import { type Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { waitTargetOf } from './wait-for.ts';

/** As the contract has it. */
const maxReasonCharacters = 200;

/** A flag; `--jwt-secret` has the environment name `REG_JWT_SECRET`, and so has every other. */
export function flag(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(environmentNameOf(option.name()));
}

export function environmentNameOf(name: string): string {
  return `REG_${name.toUpperCase().replaceAll('-', '_')}`;
}

export const registryFlag = () =>
  flag('--registry <url>', 'where the registry is; several: comma-separated')
    .default('http://127.0.0.1:3100')
    .argParser(addressesOf);
export const registryTokenFlag = () =>
  flag('--registry-token <text>', 'what the registry asks for: its own token, or one signed with it');
export const storeFlag = () =>
  flag('--store <url>', 'where the registry keeps its state: memory, or mongodb://host:27017/reg').argParser(
    storeOf,
  );
export const jsonFlag = () => flag('--json', 'print JSON');
export const dataFlag = () =>
  flag(
    '--data <folder>',
    'where state and the made JWT secret are kept (default: the state folder of the user)',
  );
export const runIdFlag = () => flag('--run-id <id>', 'the name of this run; under systemd $INVOCATION_ID');

export const quietFlag = () => flag('--quiet', 'print nothing but what went wrong');
export const retryFlag = () =>
  flag('--retry <time>', 'ask again for so long where the registry is away (default: not)')
    .argParser(durationOf)
    .default(0, 'no');
export const waitForFlags = () => [
  flag(
    '--wait-for <url|host:port>',
    'only once it answers there: a status below 400, or a connection',
  ).argParser(waitTargetOf),
  flag('--wait-for-limit <time>', 'how long').argParser(durationOf).default(60_000, '60s'),
  flag('--pid <pid>', 'of who should answer there: the waiting ends with it').argParser(pidOf),
];

export const waitFlag = () => flag('--wait', 'until every connected gateway knows, 5 s at most');

export const jwtFlags = () => [
  flag('--jwt-secret <text>', 'what signs the callers’ tokens; base64 as base64:…'),
  flag('--jwt-audience <name>', 'the tokens’ audience (default: reg)'),
  flag('--jwt-issuer <name>', 'the tokens’ issuer (default: reg)'),
  flag('--jwt-roles-claim <name>', 'the claim that holds the roles').default('roles'),
];

/** commander would show the text that is refused, and a password may be in it. */
function storeOf(text: string): string {
  if (text === 'memory' || /^mongodb(\+srv)?:\/\//.test(text)) return text;
  throw new CommanderError(
    1,
    'reg.store',
    '--store must be memory or a URL like mongodb://127.0.0.1:27017/reg',
  );
}

/** A flag that may be repeated; its environment name takes one value a line. */
export function collect(text: string, previous: readonly string[] = []): string[] {
  return [...previous, ...text.split('\n').filter((line) => line !== '')];
}

/** As `collect`, of what a browser sends as `Origin`. */
export function originsOf(text: string, previous?: readonly string[]): string[] {
  const origins = collect(text, previous);
  for (const origin of origins) {
    if (/^https?:\/\/[^/?#@\\\s]+$/i.test(origin) && URL.canParse(origin)) continue;
    throw new InvalidArgumentError('It must be an origin, like https://app.example.');
  }
  return origins;
}

/** `a,b`; an empty text is an empty list. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** `10.0.0.0/8,fd00::/8` */
export function networksOf(text: string): string[] {
  const networks = listOf(text);
  if (networks.length === 0) throw new InvalidArgumentError('It must name a network, like 10.0.0.0/8.');
  try {
    parseNetworks(networks);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return networks;
}

export function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a port, 0 to 65535 (0: any free one).');
}

/** Of entries. */
export function limitOf(text: string): string {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= 1_000) return text;
  throw new InvalidArgumentError('It must be 1 to 1000.');
}

export function countOf(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= 1_000) return count;
  throw new InvalidArgumentError('It must be a number, 0 to 1000.');
}

/** A unit whose kind has no main process says `--pid ${MAINPID}` all the same, and that is empty. */
function pidOf(text: string): number | undefined {
  if (text === '') return undefined;
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (pid > 0) return pid;
  throw new InvalidArgumentError('It must be the number of a process.');
}

/** What goes into the history: one line that the registry takes, whatever a script made it of. */
export function reasonOf(text: string): string | undefined {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .slice(0, maxReasonCharacters)
    .trim();
  return line === '' ? undefined : line;
}

/** In milliseconds. */
export function durationOf(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw new InvalidArgumentError('It must be a duration, like 500ms, 10s, 5m or 1h.');
}

/** Milliseconds since 1970. Without a time it is the beginning of that day in UTC, as in ECMAScript. */
export function momentOf(text: string): number {
  const moment = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new InvalidArgumentError('It must be a date of ISO 8601, like 2027-01-31 or 2027-01-31T18:00:00Z.');
}

export function leaseOf(text: string): 'none' | { ttlMs: number } {
  return text === 'none' ? 'none' : keptLeaseOf(text);
}

/** Of who stays to renew it. */
export function keptLeaseOf(text: string): { ttlMs: number } {
  return { ttlMs: durationOf(text) };
}

export function addressesOf(text: string): string {
  for (const address of text.split(',')) {
    const url = URL.canParse(address.trim()) ? new URL(address.trim()) : undefined;
    if (url?.protocol === 'http:' || url?.protocol === 'https:') continue;
    throw new InvalidArgumentError('It must be a URL, like http://127.0.0.1:3100.');
  }
  return text;
}

/** In a URL's path `.` and `..` would name another resource (WHATWG URL §4.4), and nothing would name all. */
export function nameOf(text: string): string {
  if (text !== '' && text !== '.' && text !== '..') return text;
  throw new InvalidArgumentError('It must not be empty, "." or "..".');
}

/** An empty setting is none, and `REG_JSON=false` means no: commander takes any value for yes. */
export function dropEmptySettings(commands: readonly Command[], environment: NodeJS.ProcessEnv): void {
  for (const { envVar, required, optional } of commands.flatMap(optionsOf)) {
    if (envVar === undefined) continue;
    const value = environment[envVar];
    const isSwitch = !required && !optional;
    if (value === '' || (isSwitch && /^(0|false|no|off)$/i.test(value ?? ''))) delete environment[envVar];
  }
}

/** With those of the commands below it. */
function optionsOf({ options, commands }: Command): Option[] {
  return [...options, ...commands.flatMap(optionsOf)];
}
