// Units that run, as systemctl(1) shows them: every instance of a template, or the one unit. The invocation tells
// one run from the next.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readListeningSockets } from './listening-sockets.ts';
import { socketsOf } from './socket-owners.ts';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

/** systemctl costs some milliseconds of processor time, which `lookAgain` takes into account. */
const everyMs = 500;
const answerMs = 5_000;
const properties = ['Id', 'ActiveState', 'SubState', 'InvocationID', 'MainPID'];

export interface SystemdRuns {
  /** `tickets.service`, `tickets@.service`. */
  readonly systemd: string;
  readonly user?: boolean | undefined;
  readonly port?: number | undefined;
}

export function followSystemd(runs: SystemdRuns, events: SourceEvents): Source {
  return lookAgain(() => findUnits(runs), everyMs, events);
}

/** The user's own manager, where we are in a user's session and no root. */
export function systemctlArguments(
  user = process.getuid?.() !== 0 && process.env.XDG_RUNTIME_DIR !== undefined,
): string[] {
  return user ? ['--user'] : [];
}

async function findUnits({ systemd, user, port }: SystemdRuns): Promise<Found[]> {
  const pattern = systemd.includes('@.') ? systemd.replace('@.', '@*.') : systemd;
  const { stdout } = await promisify(execFile)(
    'systemctl',
    [...systemctlArguments(user), 'show', `--property=${properties.join(',')}`, '--', pattern],
    { timeout: answerMs, maxBuffer: 16 * 1024 * 1024 },
  );
  const units = parseUnits(stdout).filter(isRunning);
  const found = await Promise.all(units.map((unit) => placeOf(unit, port)));
  return found.flatMap((one) => one ?? []).sort((one, other) => (one.instance < other.instance ? -1 : 1));
}

export interface Unit {
  readonly id: string;
  readonly activeState: string;
  readonly subState: string;
  readonly invocationId: string;
  readonly mainPid: number;
}

/** Blocks of `Name=value`, an empty line between two units. */
export function parseUnits(text: string): Unit[] {
  return text.split('\n\n').flatMap((block) => {
    const values = new Map(
      block.split('\n').map((line) => [line.split('=', 1)[0] ?? '', line.replace(/^[^=]*=/, '')]),
    );
    const id = values.get('Id') ?? '';
    if (id === '') return [];
    const state = { activeState: values.get('ActiveState') ?? '', subState: values.get('SubState') ?? '' };
    return [
      {
        id,
        ...state,
        invocationId: values.get('InvocationID') ?? '',
        mainPid: Number(values.get('MainPID')),
      },
    ];
  });
}

/** While it activates its process runs already; what it answers its checks say. */
function isRunning({ activeState, invocationId }: Unit): boolean {
  return ['active', 'activating', 'reloading'].includes(activeState) && invocationId !== '';
}

/** Undefined: it does not listen yet. */
async function placeOf(unit: Unit, given: number | undefined): Promise<Found | undefined> {
  const [, instance = unit.id] = /@(.+)\.service$/.exec(unit.id) ?? [];
  const port = given ?? portIn(instance) ?? (await portOfProcess(unit.mainPid));
  if (port === undefined) return undefined;
  return { host: '127.0.0.1', port, instance, identity: unit.invocationId };
}

function portIn(instance: string): number | undefined {
  const port = /^\d{4,5}$/.test(instance) ? Number(instance) : 0;
  return port >= 1_024 && port <= 65_535 ? port : undefined;
}

/** The lowest on which it listens. */
async function portOfProcess(pid: number): Promise<number | undefined> {
  if (!(pid > 0)) return undefined;
  const inodes = await socketsOf(pid);
  const ports = (await readListeningSockets()).flatMap(({ inode, port }) =>
    inodes.has(inode) ? [port] : [],
  );
  return ports.length > 0 ? Math.min(...ports) : undefined;
}
