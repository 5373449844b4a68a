// A real `systemd --user` of our own, beside whatever runs the machine: it has its own mount namespace
// (the manager wants /run/systemd/system, and gets it on a tmpfs nobody else sees), cgroups, HOME and
// XDG_RUNTIME_DIR. Needs Debian's `systemd` and `util-linux`, root, and cgroups it may make folders in.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { eventually } from './eventually.ts';
import { startProcess } from './process.ts';
import { run } from './run.ts';

const manager = '/usr/lib/systemd/systemd';

/** The units of the distribution (default.target and what it needs), without those enabled on this machine. */
const stockUnits = '/usr/lib/systemd/user';

export const hasSystemd = existsSync(manager) && process.getuid?.() === 0 && cgroupParents().some(isWritable);

export interface UserSystemd extends AsyncDisposable {
  /** Runs `systemctl --user …`. @returns what it printed @throws when it fails */
  systemctl(...args: readonly string[]): Promise<string>;
  /** Unit files and drop-ins go here; then `systemctl('daemon-reload')`. */
  readonly unitFolder: string;
  /** `~/.config` of its units, `%E` in a unit file. */
  readonly configFolder: string;
  /** With it in the environment a program speaks to this manager, as its user. */
  readonly environment: Readonly<Record<string, string>>;
  /** All that its units printed. */
  log(): Promise<string>;
}

export async function startUserSystemd(): Promise<UserSystemd> {
  const folder = await mkdtemp(join(tmpdir(), 'reg-systemd-'));
  const runtime = join(folder, 'run');
  const configFolder = join(folder, '.config');
  const unitFolder = join(configFolder, 'systemd', 'user');
  const logFile = join(folder, 'log');
  await mkdir(runtime, { mode: 0o700 });
  await mkdir(join(unitFolder, 'service.d'), { recursive: true });
  // No journal listens here: what the units print goes to a file.
  await writeFile(
    join(unitFolder, 'service.d', 'log.conf'),
    `[Service]\nStandardOutput=append:${logFile}\nStandardError=append:${logFile}\n`,
  );
  const cgroups = cgroupParents()
    .filter(isWritable)
    .map((parent) => join(parent, basename(folder)));
  for (const cgroup of cgroups) await mkdir(cgroup);

  const env = {
    HOME: folder,
    XDG_RUNTIME_DIR: runtime,
    SYSTEMD_UNIT_PATH: `${unitFolder}:${stockUnits}`,
  };
  // Every step replaces the one before: the pid we started is the manager's. It ends when we do.
  const enter = cgroups.map((cgroup) => `echo $$ >${cgroup}/cgroup.procs`);
  const inside = `mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system && exec ${manager} --user`;
  const script = [...enter, `exec setpriv --pdeathsig TERM unshare --mount sh -c '${inside}'`].join(' && ');
  const started = await startProcess('sh', ['-c', script], { env });

  const systemctl = async (...args: readonly string[]) => {
    const { stdout } = await run(['systemctl', '--user', ...args], {
      env: { PATH: process.env.PATH, ...env },
    });
    return stdout.trim();
  };
  const dispose = async () => {
    await started[Symbol.asyncDispose](); // SIGTERM: it stops its units, then ends
    for (const cgroup of cgroups) await emptyAndRemove(cgroup);
    await rm(folder, { recursive: true, force: true });
  };
  await eventually(
    () => systemctl('is-active', 'default.target'),
    (state) => state === 'active',
    { withinMs: 20_000 },
  ).catch(async (cause) => {
    await dispose();
    throw new Error(`systemd --user did not start:\n${started.stdout()}\n${started.stderr()}`, { cause });
  });
  return {
    systemctl,
    unitFolder,
    configFolder,
    environment: env,
    log: () => readFile(logFile, 'utf8').catch(() => ''),
    [Symbol.asyncDispose]: dispose,
  };
}

/**
 * The cgroups that we are in and that systemd sorts its units by: the one of version 2, and beside it,
 * where version 1 is mounted too, the hierarchy named `systemd` (cgroups(7), "hybrid").
 */
function cgroupParents(): string[] {
  const ours = new Map(
    readLines('/proc/self/cgroup').map((line) => {
      const [, controllers = '', path = ''] = line.split(':');
      return [controllers, path];
    }),
  );
  return readLines('/proc/self/mounts').flatMap((line) => {
    const [, folder = '', type, options = ''] = line.split(' ');
    const controllers =
      type === 'cgroup2' ? '' : options.split(',').find((option) => option === 'name=systemd');
    const path = controllers === undefined ? undefined : ours.get(controllers);
    return path === undefined ? [] : [join(folder, path)];
  });
}

function readLines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A folder of cgroups can go once no process is in it, the innermost first. */
async function emptyAndRemove(cgroup: string): Promise<void> {
  for (const entry of await readdir(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) await emptyAndRemove(join(cgroup, entry.name));
  }
  await eventually(async () => {
    for (const pid of readLines(join(cgroup, 'cgroup.procs')).filter(Boolean))
      process.kill(Number(pid), 'SIGKILL');
    await rmdir(cgroup);
    return true;
  });
}
