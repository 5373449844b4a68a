// What `reg up` tells a service manager that asked to be told: ready, stopping, and that it lives (sd_notify(3)). Node
// has no datagram socket of the unix kind, so systemd's own program says it: the unit needs NotifyAccess=all.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ServiceManager {
  ready(): Promise<void>;
  stopping(): Promise<void>;
}

interface ServiceManagerOptions {
  /** Where NOTIFY_SOCKET and WATCHDOG_USEC are. */
  readonly environment: NodeJS.ProcessEnv;
  readonly pid: number;
  /** Asked before each sign of life: without it systemd starts us again. */
  readonly isLive: () => boolean;
  /** Takes one line of trouble. */
  readonly log: (line: string) => void;
}

/** Tells nobody where no manager asked. */
export function createServiceManager({
  environment,
  pid,
  isLive,
  log,
}: ServiceManagerOptions): ServiceManager {
  const watched = watchdogMs(environment, pid);
  let watching: NodeJS.Timeout | undefined;
  let saying = false;

  async function notify(...words: string[]): Promise<void> {
    if (!environment.NOTIFY_SOCKET) return;
    const failure = await say(words);
    if (failure !== undefined) log(`systemd-notify ${words.join(' ')}: ${failure}`);
  }

  /** Comes when the event loop turns, and not before. */
  async function live(): Promise<void> {
    if (saying || !isLive()) return;
    saying = true;
    await notify('WATCHDOG=1');
    saying = false;
  }

  return {
    async ready() {
      await notify('--ready');
      if (watched !== undefined) watching = setInterval(() => void live(), watched / 2).unref();
    },
    async stopping() {
      clearInterval(watching);
      await notify('STOPPING=1');
    },
  };
}

/** Undefined: nobody watches this process. */
export function watchdogMs(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC, WATCHDOG_PID } = environment;
  const ms = Number(WATCHDOG_USEC) / 1_000;
  if (!(ms > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid)) return undefined;
  return ms;
}

/** @returns why it could not be said */
async function say(words: readonly string[]): Promise<string | undefined> {
  const child = spawn('systemd-notify', words, { stdio: 'ignore' });
  try {
    const [code, signal] = await once(child, 'exit');
    return code === 0 ? undefined : `ended with ${signal ?? code}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
