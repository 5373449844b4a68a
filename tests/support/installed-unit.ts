// A service of our own under a `systemd --user`, installed by `reg systemd install`.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { run } from './run.ts';
import { listed, reg } from './stack.ts';
import type { UserSystemd } from './systemd.ts';

/** `reg systemd …`, as the user of that manager. @returns what it printed */
export async function regSystemd(systemd: UserSystemd, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run([process.execPath, reg, 'systemd', ...args, '--user'], {
    env: { PATH: process.env.PATH, ...systemd.environment },
  });
  return stdout.trim();
}

/** A server in JavaScript, in a folder with a space; it listens at HOST and PORT after `lateMs`. */
export async function writeServer(folder: string, { lateMs = 0 } = {}): Promise<string> {
  const path = join(folder, 'a server.mjs');
  await writeFile(
    path,
    `import { createServer } from 'node:http';
const { HOST, PORT, SELF_REGISTRY = 'unset' } = process.env;
const server = createServer((request, response) => response.end(SELF_REGISTRY));
setTimeout(() => server.listen(Number(PORT), HOST), ${lateMs});
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`,
  );
  return path;
}

/** The run of a unit as systemd names it now; empty where it does not run. */
export async function runOf(systemd: UserSystemd, unit: string): Promise<string> {
  return systemd.systemctl('show', '--property=InvocationID', '--value', unit);
}

/** Waits until exactly this run is listed. */
export function untilListed(registry: string, service: string, runId: string, withinMs = 60_000) {
  return eventually(
    () => listed(registry, service),
    (all) => all.length === 1 && all[0]?.runId === runId,
    { withinMs },
  );
}
