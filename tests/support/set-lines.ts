// The lines of one process to all members of a replica set, which fail as lines do. A driver asks the set who its
// members are and goes there by itself: so what members say of themselves is told with the lines' ports instead.
// Plain TCP; ports are found by their text, and have five digits here as there, so that no length changes.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.ts';

export interface SetLines extends AsyncDisposable {
  /** As that of the set. */
  urlOf(database: string): string;
  /** Every connection breaks, and new ones break too. */
  cut(): void;
  /** Nothing passes, old connections or new ones; all of it arrives once they are mended. */
  hold(): void;
  mend(): void;
}

/** @param members `mongodb://127.0.0.1:PORT` each */
export async function startSetLines(members: readonly string[]): Promise<SetLines> {
  const hosts: (readonly [member: string, line: string])[] = [];
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  let state: 'good' | 'held' | 'cut' = 'good';

  function asLines(chunk: Buffer): Buffer {
    if (!hosts.some(([member]) => chunk.includes(member))) return chunk;
    let text = chunk.toString('latin1');
    for (const [member, line] of hosts) text = text.replaceAll(member, line);
    return Buffer.from(text, 'latin1');
  }

  function pass(near: Socket, host: string): void {
    if (state === 'cut') {
      near.destroy();
      return;
    }
    const [hostname, port] = host.split(':');
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) sockets.add(socket);
    near.on('data', (chunk: Buffer) => far.write(chunk));
    far.on('data', (chunk: Buffer) => near.write(asLines(chunk)));
    near.on('error', () => far.destroy()).on('close', () => sockets.delete(near) && far.destroy());
    far.on('error', () => near.destroy()).on('close', () => sockets.delete(far) && near.destroy());
    if (state === 'held') for (const socket of [near, far]) socket.pause();
  }

  for (const member of members) {
    const host = member.replace('mongodb://', '');
    const port = await freePort();
    const server = createServer((near) => pass(near, host)).listen(port, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    hosts.push([host, `127.0.0.1:${port}`]);
  }
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    urlOf: (database) => `mongodb://${hosts.map(([, line]) => line).join(',')}/${database}?replicaSet=rs`,
    cut() {
      state = 'cut';
      breakAll();
    },
    hold() {
      state = 'held';
      for (const socket of sockets) socket.pause();
    },
    mend() {
      state = 'good';
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      breakAll();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
