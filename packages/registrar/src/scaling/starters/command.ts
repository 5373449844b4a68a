// A program for each instance, with a port of its own. It outlives us: another start of the registrar finds it by its
// port, and knows by its environment that it is ours to stop.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { childEnvironment } from '../../run-command.ts';
import { signalGroup } from '../../signal-group.ts';
import { readListeningSockets } from '../../sources/listening-sockets.ts';
import { ownersOf } from '../../sources/socket-owners.ts';
import { startedBy, startedByEnvironment } from '../../started-by.ts';
import { createAsked, localPendingMs, type Starter, type StarterContext } from './starter.ts';

/** One that does not end by then is ended. */
const stopMs = 10_000;
const lookEveryMs = 100;
const askedMs = 10_000;

export interface CommandStart {
  readonly command: readonly string[];
  readonly ports: readonly [number, number];
}

export function commandStarter(
  { command, ports: [first, last] }: CommandStart,
  context: StarterContext,
): Starter {
  const { service, owner, log } = context;
  const asked = createAsked(askedMs);

  /** Taken as soon as it is found: two may be started at once. */
  async function takePort(): Promise<number> {
    const listening = new Set((await readListeningSockets()).map(({ port }) => port));
    const taken = new Set(context.instances().flatMap(({ found }) => found?.port ?? []));
    for (let port = first; port <= last; port++) {
      if (listening.has(port) || taken.has(port) || asked.has(String(port))) continue;
      asked.add(String(port));
      return port;
    }
    throw new Error(`no port from ${first} to ${last} is free`);
  }

  return {
    pendingMs: localPendingMs,
    async start() {
      const port = await takePort();
      const [program = '', ...args] = command.map((one) => one.replaceAll('{port}', String(port)));
      const child = spawn(program, args, {
        env: { ...childEnvironment(), PORT: String(port), ...startedByEnvironment({ owner, service }) },
        stdio: ['ignore', 2, 2], // what it prints stands beside our log
        detached: true,
      });
      await once(child, 'spawn'); // rejects with what hinders it
      child.on('exit', (code, signal) => {
        log(`${service}: what was started for port ${port} ended (${signal ?? code})`);
        context.lost(String(port));
      });
      child.unref();
      return { what: `${program} on port ${port}`, instance: String(port) };
    },
    canStop: ({ found }) => found?.port !== undefined && found.port >= first && found.port <= last,
    async stop({ found }) {
      const pid = await listenerOn(found?.port);
      if (pid === undefined) return; // it ended by itself
      const by = await startedBy(pid);
      if (by?.owner !== owner || by.service !== service)
        throw new Error(`process ${pid} on port ${found?.port} was not started by ${owner}`);
      await endGroupOf(pid);
    },
  };
}

async function listenerOn(port: number | undefined): Promise<number | undefined> {
  const inodes = (await readListeningSockets()).flatMap((one) => (one.port === port ? [one.inode] : []));
  return [...(await ownersOf(inodes)).values()][0];
}

/** What was started may itself have started who listens: all of its group goes. */
async function endGroupOf(pid: number): Promise<void> {
  const group = await groupOf(pid);
  if (group === undefined) return;
  const started = await startOf(pid);
  signalGroup(group, 'SIGTERM');
  for (const endAt = performance.now() + stopMs; performance.now() < endAt; ) {
    if ((await startOf(pid)) !== started) return;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  signalGroup(group, 'SIGKILL');
}

/** The fields of proc_pid_stat(5) after the command's name, which may hold anything. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function groupOf(pid: number): Promise<number | undefined> {
  const fields = await statOf(pid);
  return fields ? Number(fields[2]) : undefined;
}

/** Another process may get its number. Undefined: it has ended, if it is not reaped yet. */
async function startOf(pid: number): Promise<string | undefined> {
  const fields = await statOf(pid);
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}
