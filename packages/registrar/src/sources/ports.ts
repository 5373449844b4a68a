// Ports of a policy: each on which somebody listens is an instance. On this machine the listening socket tells one
// run from the next; elsewhere its checks alone tell whether it is there.
import { bootId } from '../machine.ts';
import { startedBy } from '../started-by.ts';
import { isThisMachine, type ListeningSocket, readListeningSockets, socketAt } from './listening-sockets.ts';
import { ownersOf } from './socket-owners.ts';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

const everyMs = 250;

export interface PortRuns {
  readonly ports: readonly number[];
  /** @default 127.0.0.1 */
  readonly host?: string | undefined;
  /** Only what a registrar started for this service. @default whoever listens */
  readonly startedFor?: string | undefined;
}

export function followPorts(
  { ports, host = '127.0.0.1', startedFor }: PortRuns,
  events: SourceEvents,
): Source {
  const choose = startedFor === undefined ? everybody : whoWasStartedFor(startedFor);
  return lookAgain(() => findOn(ports, host, choose), everyMs, events);
}

type Choose = (listening: readonly ListeningSocket[]) => Promise<readonly ListeningSocket[]>;

async function findOn(ports: readonly number[], host: string, choose: Choose): Promise<Found[]> {
  const place = (port: number) => ({ host, port, instance: String(port) });
  if (!isThisMachine(host)) return ports.map((port) => ({ ...place(port), identity: undefined }));
  const sockets = await readListeningSockets().catch(unlessNoProc);
  if (!sockets) return ports.map((port) => ({ ...place(port), identity: undefined }));
  const boot = await bootId();
  const chosen = await choose(ports.flatMap((port) => socketAt(sockets, host, port) ?? []));
  return chosen.map(({ port, inode }) => ({
    ...place(port),
    identity: `socket-${inode}-${boot.slice(0, 8)}`,
  }));
}

const everybody: Choose = async (listening) => listening;

/** To find the process of a socket costs a look at all processes: once for each socket. */
function whoWasStartedFor(service: string): Choose {
  let known = new Map<string, boolean>();
  return async (listening) => {
    const owners = await ownersOf(listening.flatMap(({ inode }) => (known.has(inode) ? [] : [inode])));
    const now = new Map<string, boolean>();
    for (const { inode } of listening) {
      now.set(inode, known.get(inode) ?? (await isStartedFor(service, owners.get(inode))));
    }
    known = now;
    return listening.filter(({ inode }) => now.get(inode));
  };
}

async function isStartedFor(service: string, pid: number | undefined): Promise<boolean> {
  return pid !== undefined && (await startedBy(pid))?.service === service;
}

/** Another system than Linux tells it nowhere: there the checks alone do. */
function unlessNoProc(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
