// Runs a program to its end, within bounds: for checks and hooks. No shell reads its arguments, and it gets none
// of our secrets.
import { spawn } from 'node:child_process';
import { signalGroup } from './signal-group.ts';

const maxOutputCharacters = 4_096;

export interface Ran {
  /** Null: it was killed, or never started. */
  readonly code: number | null;
  /** The last that it printed, on one line. */
  readonly output: string;
  readonly trouble: string | undefined;
}

export interface RunOptions {
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** On its stdin. */
  readonly input?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Never rejects. At its limit it is killed with all that it started. */
export function runCommand(
  [program = '', ...args]: readonly string[],
  { timeoutMs, env = {}, input, signal }: RunOptions,
): Promise<Ran> {
  return new Promise((resolve) => {
    const stdin = input === undefined ? 'ignore' : 'pipe';
    const child = spawn(program, args, {
      env: { ...childEnvironment(), ...env },
      stdio: [stdin, 'pipe', 'pipe'],
      detached: true, // a group of its own, so that all of it can be killed
    });
    let output = '';
    let trouble: string | undefined;
    const take = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-maxOutputCharacters);
    };
    const kill = (why: string) => {
      trouble ??= why;
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        signalGroup(child.pid, 'SIGKILL');
    };
    const late = setTimeout(() => kill(`not done within ${timeoutMs} ms`), timeoutMs);
    const stop = () => kill('given up');
    signal?.addEventListener('abort', stop);
    const settle = (code: number | null) => {
      clearTimeout(late);
      signal?.removeEventListener('abort', stop);
      resolve({ code, output: output.trim().replaceAll(/\s+/g, ' '), trouble });
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.stdin?.on('error', () => undefined); // it did not want its input
    child.stdin?.end(input);
    child.on('error', (error: NodeJS.ErrnoException) => {
      trouble ??= `${program}: ${error.code ?? error.message}`;
      settle(null);
    });
    child.on('exit', (code, killedBy) => {
      if (killedBy) trouble ??= `ended by ${killedBy}`;
      // What it started may hold its output open for ever: what is there by now is all.
      setImmediate(() => settle(code));
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
  });
}

/** Ours without what registers a service by itself, and without our settings: a token may be among them. */
export function childEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const own = /^(SELF_REGISTRY|REG_.*|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|INVOCATION_ID)$/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !own.test(name)));
}
