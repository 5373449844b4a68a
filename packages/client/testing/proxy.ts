// A line to the registry that can be cut: plain TCP, so that nothing of it is understood.
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** All that was sent to the registry, as text. */
  sent(): string;
  open(): number;
  /** Every connection breaks; new ones are taken. */
  cut(): void;
}

/** @param tls its certificate: then it is reached by https */
export async function startProxy(
  target: string,
  tls?: { readonly key: string; readonly cert: string },
): Promise<Proxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let sent = '';
  const take = (near: Socket) => {
    const far = connect(Number(port), hostname);
    sockets.add(near);
    near.on('data', (chunk) => (sent += chunk.toString('latin1')));
    near.on('error', () => far.destroy()).on('close', () => sockets.delete(near) && far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  };
  const server = tls ? createTlsServer(tls, take) : createServer(take);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as { port: number }).port}`,
    sent: () => sent,
    open: () => sockets.size,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
