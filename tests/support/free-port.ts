import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the ports that the system gives to who asks for any (ip_local_port_range): between our look and the program's
// own listening nobody gets one of them by chance. Each test process begins in a part of its own.
const lowest = 12_000;
const perProcess = 100;
const parts = 200;
let next = lowest + (process.pid % parts) * perProcess;

/** A port that nobody listens on, for programs that cannot say which one they took. */
export async function freePort(): Promise<number> {
  return (await freePortRange(1))[0];
}

/** Ports that nobody listens on, one after the other: [first, last]. */
export async function freePortRange(count: number): Promise<readonly [number, number]> {
  for (let tried = 0; tried < perProcess * parts; tried += count) {
    const first = next;
    next += count;
    if (next > lowest + perProcess * parts - count) next = lowest;
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return [first, first + count - 1];
  }
  throw new Error(`no ${count} ports in a row are free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
