// How a command ends that did not succeed: its exit code and its one line on stderr.
import { isRegError, type RegError } from '@reg/schema/problem';
import { CommanderError } from 'commander';
import { isInterruption } from './interruption.ts';
import { isPortInUse } from './listening.ts';
import { printable } from './printable.ts';

/** Promised in `reg --help` and README.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, notReady: 4 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (isInterruption(error)) return error.exitCode;
  if (isRegError(error) && error.code === 'registry_unavailable') return exitCodes.unreachable;
  if (isRegError(error) && error.code === 'not_ready') return exitCodes.notReady;
  return exitCodes.failed;
}

/** Undefined: commander printed the help or version that was asked for. Only a bug shows its stack. */
export function describeError(error: unknown): string | undefined {
  if (error instanceof CommanderError) return describeUsage(error);
  if (isInterruption(error)) return error.message;
  if (isRegError(error)) return printable(describeRefusal(error));
  if (isSystemError(error)) return `error: ${printable(describeSystemError(error))}`;
  return error instanceof Error ? (error.stack ?? error.message) : `error: ${printable(String(error))}`;
}

function describeUsage({ code, message }: CommanderError): string | undefined {
  if (['commander.help', 'commander.helpDisplayed', 'commander.version'].includes(code)) return undefined;
  return `error: ${printable(message.replace(/^error: /, '').replaceAll('\n', ' '))}`;
}

function describeRefusal({ code, message, errors = [] }: RegError): string {
  const untold = errors.filter((fault) => !message.includes(fault.message));
  const faults = untold.map((fault) => `${fault.field} ${fault.message}`);
  return [`${code}: ${message}`, ...faults].join('; ');
}

function describeSystemError(error: NodeJS.ErrnoException): string {
  if (!isPortInUse(error)) return error.message;
  const { port, chosenBy } = error;
  return `port ${port} is in use by another program${chosenBy ? `: choose another with ${chosenBy}` : ''}`;
}

/** What the operating system refused (EACCES, ENOSPC, EADDRINUSE …): the user's to mend, no bug. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
