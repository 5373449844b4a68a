// Ports of a policy: each on which somebody listens is an instance. On this machine the listening socket tells one
// run from the next; elsewhere its checks alone tell whether it is there.
import { bootId } from '../machine.ts';
import { isThisMachine, readListeningSockets, socketAt } from './listening-sockets.ts';
import { type Found, lookAgain, type Source, type SourceEvents } from './source.ts';

const everyMs = 250;

export function followPorts(
  { ports, host = '127.0.0.1' }: { readonly ports: readonly number[]; readonly host?: string | undefined },
  events: SourceEvents,
): Source {
  return lookAgain(() => findOn(ports, host), everyMs, events);
}

async function findOn(ports: readonly number[], host: string): Promise<Found[]> {
  const place = (port: number) => ({ host, port, instance: String(port) });
  if (!isThisMachine(host)) return ports.map((port) => ({ ...place(port), identity: undefined }));
  const sockets = await readListeningSockets().catch(unlessNoProc);
  if (!sockets) return ports.map((port) => ({ ...place(port), identity: undefined }));
  const boot = await bootId();
  return ports.flatMap((port) => {
    const socket = socketAt(sockets, host, port);
    return socket ? [{ ...place(port), identity: `socket-${socket.inode}-${boot.slice(0, 8)}` }] : [];
  });
}

/** Another system than Linux tells it nowhere: there the checks alone do. */
function unlessNoProc(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
