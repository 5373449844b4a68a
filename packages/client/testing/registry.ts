// A real registry behind a real server for the tests of this package; it can be stopped, restarted in the
// same place with nothing remembered, and frozen.
import { createSecretKey } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import type { ListedInstance } from '@reg/schema';
import {
  createMemoryStore,
  createRegistry,
  createRegistryServer,
  type Registry,
  type RegistryServer,
} from '../../../tests/support/registry.ts';

export interface TestRegistry extends AsyncDisposable {
  readonly url: string;
  /** Instances listed under a service's name; none where there is no such service. */
  listed(service: string): Promise<ListedInstance[]>;
  /** An operator's: the registry forgets an instance. */
  forget(service: string, id: string): Promise<void>;
  /** Registers as anybody may, over HTTP. @returns the status and the reply */
  put(service: string, id: string, body: object): Promise<{ status: number; reply: { code?: string } }>;
  /** Nothing listens any more. */
  stop(): Promise<void>;
  /** As a new process with an empty store: another epoch. */
  start(): Promise<void>;
  /** Connections are taken, and nothing is ever answered. */
  freeze(): Promise<void>;
}

export interface TestRegistryOptions {
  readonly keepAliveMs?: number;
  /** The operator's token, which this file sends too. @default none is needed */
  readonly token?: string;
  readonly isRevoked?: (id: string) => boolean;
}

export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const { keepAliveMs = 200, token, isRevoked } = options;
  const credentials = token === undefined ? undefined : { token: createSecretKey(token, 'utf8'), isRevoked };
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  let port = 0;
  let registry: Registry | undefined;
  let server: RegistryServer | undefined;
  let frozen: Server | undefined;

  async function start(): Promise<void> {
    await stop();
    registry = createRegistry({ store: createMemoryStore() });
    server = await createRegistryServer({ registry, port, keepAliveMs, credentials });
    port = server.port;
  }

  async function stop(): Promise<void> {
    await server?.close();
    await registry?.close();
    if (frozen) await new Promise((resolve) => frozen?.close(resolve));
    server = undefined;
    registry = undefined;
    frozen = undefined;
  }

  async function freeze(): Promise<void> {
    await stop();
    const sockets = new Set<{ destroy(): void }>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
    const close = silent.close.bind(silent);
    silent.close = (done) => {
      for (const socket of sockets) socket.destroy();
      return close(done);
    };
    frozen = silent;
  }

  await start();
  const url = `http://127.0.0.1:${port}`;
  const instance = (service: string, id: string) =>
    `${url}/v1/services/${encodeURIComponent(service)}/instances/${encodeURIComponent(id)}`;
  return {
    url,
    start,
    stop,
    freeze,
    async listed(service) {
      const response = await fetch(`${url}/v1/services/${encodeURIComponent(service)}`, {
        headers: authorization,
      });
      if (response.status === 404) return [];
      const { instances } = (await response.json()) as { instances: ListedInstance[] };
      return instances;
    },
    async forget(service, id) {
      const response = await fetch(`${instance(service, id)}?force=true`, {
        method: 'DELETE',
        headers: authorization,
      });
      if (!response.ok) throw new Error(`not forgotten: ${response.status}`);
    },
    async put(service, id, body) {
      const headers = { 'content-type': 'application/json', ...authorization };
      const response = await fetch(instance(service, id), {
        method: 'PUT',
        headers,
        body: JSON.stringify(body),
      });
      return { status: response.status, reply: (await response.json()) as { code?: string } };
    },
    [Symbol.asyncDispose]: stop,
  };
}
