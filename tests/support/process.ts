// Real processes: started, read line by line, ended by pid; `await using` ends them whatever happens.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './eventually.ts';

export interface StartedProcess extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** All that it printed until now. */
  stdout(): string;
  stderr(): string;
  /** Waits until what it printed (stdout, then stderr) matches. @throws when it ended before */
  printed(pattern: RegExp, options?: { withinMs?: number }): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves once it ended and its output is read whole. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** In a process group of its own: `kill` then reaches its children too. @default false */
  readonly group?: boolean;
}

/** Only what a program needs to run: no `REG_…`, `SELF_REGISTRY` or `CI` of the outside leaks in. */
function cleanEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'XDG_RUNTIME_DIR'];
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

export async function startProcess(
  command: string,
  args: readonly string[],
  { env = {}, cwd, group = false }: StartOptions = {},
): Promise<StartedProcess> {
  const child = spawn(command === 'node' ? process.execPath : command, args, {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: group,
    ...(cwd && { cwd }),
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  await once(child, 'spawn');
  const pid = child.pid as number;
  const running = () => child.exitCode === null && child.signalCode === null;
  const kill = (signal: NodeJS.Signals) => {
    if (running()) process.kill(group ? -pid : pid, signal);
  };
  return {
    pid,
    child,
    ended,
    kill,
    stdout: () => out,
    stderr: () => err,
    async printed(pattern, { withinMs = 15_000 } = {}) {
      const look = () => pattern.exec(out) ?? pattern.exec(err);
      const seen = await eventually(
        () => look() ?? !running(),
        (answer) => answer !== false,
        { withinMs },
      ).catch((cause) => {
        throw new Error(`${command} ${args.join(' ')} did not print ${pattern}:\n${out}\n${err}`, { cause });
      });
      if (seen === true) await ended; // its last words may still be on their way
      const match = seen === true ? look() : seen;
      if (!match) throw new Error(`${command} ${args.join(' ')} ended without ${pattern}:\n${out}\n${err}`);
      return match as RegExpExecArray;
    },
    async [Symbol.asyncDispose]() {
      kill('SIGTERM');
      const late = setTimeout(() => kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    },
  };
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** To its end, whatever its exit code is. */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Finished> {
  await using started = await startProcess(command, args, options);
  const { code } = await started.ended;
  return { code, stdout: started.stdout(), stderr: started.stderr() };
}
