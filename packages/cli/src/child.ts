// The program that `reg run` runs: on our terminal, with our files, in our process group.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<ChildEnd>;
}

/** @throws node's error of `spawn`: `ENOENT`, `EACCES` */
export async function startChild(
  [program = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Child> {
  const child: ChildProcess = spawn(program, args, { env, stdio: 'inherit' });
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }) as ChildEnd);
  ended.catch(() => undefined); // a program that cannot start says so below
  await once(child, 'spawn');
  return { pid: child.pid as number, ended, kill: (signal) => void child.kill(signal) };
}

/** Ends this process as that one ended. Nothing of ours may be left to do. */
export function endAs({ code, signal }: ChildEnd): void {
  if (signal === null) {
    process.exitCode = code ?? 1;
    return;
  }
  process.exitCode = 128 + constants.signals[signal]; // where the signal does not end us: as shells say it
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
