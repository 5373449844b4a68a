// A TCP proxy that takes its time with every piece, both ways: a registry across a bad network.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SlowProxy extends AsyncDisposable {
  readonly url: string;
  /** Connections that somebody may still hear of. */
  open(): number;
}

/** @param delayMs asked for each piece that passes */
export async function startSlowProxy(target: string, delayMs: () => number): Promise<SlowProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const under = new Set<Promise<void>>();
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) });
    for (const [from, to] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(from);
      from.on('error', () => undefined); // its `close` follows
      from.on('close', () => sockets.delete(from));
      const passing = passOn(from, to, delayMs).finally(() => under.delete(passing));
      under.add(passing);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    open: () => under.size,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** What was sent arrives, also where its sender is gone by then: as on a network. */
async function passOn(from: Socket, to: Socket, delayMs: () => number): Promise<void> {
  try {
    for await (const piece of from) {
      await sleep(delayMs());
      if (to.writable) to.write(piece);
    }
  } catch {
    // broken off: what arrived before was passed on
  }
  to.end();
}
