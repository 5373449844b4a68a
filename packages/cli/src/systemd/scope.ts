// Whose manager: the machine's or the user's. Where its unit files go, and how it is spoken to.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';

export type Scope = 'system' | 'user';

export interface ScopeFlags {
  readonly user?: boolean;
  readonly system?: boolean;
}

/** Root means the machine's, as everywhere else in `reg`. */
export function scopeOf({ user, system }: ScopeFlags): Scope {
  if (user) return 'user';
  return system || userInfo().uid === 0 ? 'system' : 'user';
}

/** Where an administrator's units are (systemd.unit(5)). */
export function unitFolder(scope: Scope, environment: NodeJS.ProcessEnv = process.env): string {
  if (scope === 'system') return '/etc/systemd/system';
  const { XDG_CONFIG_HOME: config } = environment;
  return join(config?.startsWith('/') ? config : join(homedir(), '.config'), 'systemd', 'user');
}

/** As a person would type it. */
export function systemctlWords(scope: Scope): string {
  return scope === 'user' ? 'systemctl --user' : 'systemctl';
}

interface Finished {
  readonly ok: boolean;
  readonly stdout: string;
  /** One line. */
  readonly stderr: string;
}

/** Never throws: a machine that does not run systemd has no `systemctl`, or one that says so. */
export async function systemctl(scope: Scope, ...args: readonly string[]): Promise<Finished> {
  const child = spawn('systemctl', [`--${scope}`, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  try {
    const [code] = await once(child, 'close');
    return { ok: code === 0, stdout: stdout.trim(), stderr: stderr.trim().replaceAll('\n', ' ') };
  } catch (error) {
    return { ok: false, stdout: '', stderr: `systemctl: ${(error as NodeJS.ErrnoException).code}` };
  }
}
