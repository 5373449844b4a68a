// A door before a server. Shut, it is a pulled cable: connections are taken, and what is sent on them, old
// or new, reaches nobody. Refusing them would be kinder than a network is.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Door {
  readonly port: number;
  shut(): void;
  /** Connections of before are reset: bytes of theirs are missing. */
  open(): void;
  close(): Promise<void>;
}

export async function createDoor(serverPort: number): Promise<Door> {
  const pairs = new Map<Socket, Socket | undefined>();
  let isShut = false;

  const server = createServer((outside) => {
    pairs.set(outside, undefined);
    outside.on('error', () => undefined); // 'close' follows
    outside.once('close', () => {
      pairs.get(outside)?.destroy();
      pairs.delete(outside);
    });
    if (isShut) outside.resume();
    else pairs.set(outside, passThrough(outside, serverPort));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function reset(): void {
    for (const outside of pairs.keys()) outside.destroy();
  }

  return {
    port: (server.address() as AddressInfo).port,
    shut() {
      isShut = true;
      for (const [outside, inside] of pairs) {
        outside.unpipe().resume();
        inside?.unpipe().resume();
      }
    },
    open() {
      isShut = false;
      reset();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      reset();
      await closed;
    },
  };
}

function passThrough(outside: Socket, port: number): Socket {
  const inside = connect(port, '127.0.0.1');
  inside.on('error', () => outside.destroy());
  outside.pipe(inside).pipe(outside);
  return inside;
}
