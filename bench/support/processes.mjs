// The servers under measurement: each a process of its own, pinned to a core, ended by its pid.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';

/** What is measured has this core alone; load and upstreams have the rest, so that they never are what limits. */
const measuredCore = 0;
const cores = availableParallelism();
const canPin = cores > 1 && spawnSync('taskset', ['-p', String(process.pid)]).status === 0;
export const pinning = canPin ? 'measured on core 0, load and upstreams on the others' : 'nothing is pinned';

const maxStartMs = 20_000;
const maxLeavingMs = 5_000;
const living = new Set();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** The command line that keeps a process on the measured core, or off it. */
export function pinned(command, isMeasured) {
  if (!canPin) return command;
  return ['taskset', '-c', isMeasured ? String(measuredCore) : `1-${cores - 1}`, ...command];
}

/**
 * Starts a server and waits for the line on stdout that matches `ready`. Its stderr goes to a device that
 * takes all: a log that somebody reads would be load on the other core.
 * @returns {Promise<{ pid: number, line: string, stop: () => Promise<void> }>}
 */
export async function startServer(command, { isMeasured, ready, env = {} }) {
  const [file, ...args] = pinned(command, isMeasured);
  const child = spawn(file, args, {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', process.env.BENCH_STDERR ? 'inherit' : openSync('/dev/null', 'w')],
  });
  living.add(child);
  const ended = once(child, 'exit').then(([code, signal]) => {
    living.delete(child);
    return `${command.join(' ')} ended with ${code ?? signal} (its stderr: BENCH_STDERR=1)`;
  });
  let late;
  const line = await Promise.race([
    new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (text) => ready.test(text) && resolve(text));
    }),
    ended.then((how) => Promise.reject(new Error(how))),
    new Promise((_, reject) => {
      late = setTimeout(() => reject(new Error(`${command.join(' ')} did not start`)), maxStartMs);
    }),
  ]);
  clearTimeout(late);
  return {
    pid: child.pid,
    line,
    async stop() {
      child.kill('SIGTERM');
      const stuck = setTimeout(() => child.kill('SIGKILL'), maxLeavingMs);
      await ended;
      clearTimeout(stuck);
    },
  };
}
