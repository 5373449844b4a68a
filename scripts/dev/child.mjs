// A child process in a process group of its own: Ctrl-C on the terminal reaches the dev script alone, which
// then ends its children in order.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The dev script may be killed with SIGKILL: then the pipe to a child's stdin closes, and the child leaves. */
const leaveWithParent = `data:text/javascript,process.stdin.on("end", () => process.kill(process.pid, "SIGTERM")).resume().unref()`;

const maxLeavingMs = 10_000;
const living = new Set();

/**
 * Starts a Node program. What it prints goes to ours.
 * @param {string[]} args the program's file and its arguments
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, ready: RegExp }} options `ready` matches the line on stdout
 *   with which it says that it runs; that line is not printed, its match is in the promise `ready`
 */
export function startProgram(args, { cwd, env, ready }) {
  const child = spawn(process.execPath, ['--import', leaveWithParent, ...args], {
    cwd,
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = ready.exec(line);
      if (match) resolve(match[0]);
      else console.log(line);
    });
  });
  return { ...follow(child), ready: said };
}

/** Runs a command to its end; `output` is all that it printed until now. */
export function startCommand(command, args, { cwd, env }) {
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => printed.push(text));
  }
  return { ...follow(child), output: () => printed.join('') };
}

function follow(child) {
  living.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    living.delete(child);
    return { code, how: signal ? `by ${signal}` : `with exit code ${code}` };
  });
  async function leave() {
    signalGroup(child, 'SIGTERM');
    const late = setTimeout(() => signalGroup(child, 'SIGKILL'), maxLeavingMs);
    await ended;
    clearTimeout(late);
  }
  let leaving;
  return {
    ended,
    /** SIGTERM to its group, once: a second one would cut its leaving short. SIGKILL where it stays. */
    stop() {
      leaving ??= leave();
      return leaving;
    },
  };
}

/** At once, whatever they are doing. */
export function killAll() {
  for (const child of living) signalGroup(child, 'SIGKILL');
}

function signalGroup(child, signal) {
  if (!living.has(child)) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // it is gone already
  }
}
