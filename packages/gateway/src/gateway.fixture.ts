// For tests: a registry of a few lines (the `Catalog` port and no rules), upstreams on real sockets, and
// raw requests, since a client library would repair what is to be sent.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import {
  type AuthorizedRoles,
  type Catalog,
  type Change,
  type ChangeSet,
  type Endpoint,
  formatPosition,
  type Instance,
  type LeaseSetting,
  type Position,
  regError,
  type ServiceDefinition,
  type ServicePolicy,
  type Snapshot,
} from '@reg/schema';
import { eventually } from '../../../tests/support/eventually.ts';
import { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
import type { AccessRecord } from './stages/observe.ts';
import { secret, signed } from './tokens/signed.fixture.ts';
import { createTokenVerifier } from './tokens/verifier.ts';

export interface TestService {
  readonly name?: string;
  readonly url: string;
  readonly authorizedRoles?: AuthorizedRoles;
  readonly access?: 'token' | 'public';
  readonly policy?: ServicePolicy;
}

export interface TestInstance {
  readonly id?: string;
  readonly generation?: number;
  readonly state?: 'up' | 'draining';
  readonly lease?: LeaseSetting;
  readonly merge?: boolean;
  readonly partial?: 'allow' | 'refuse';
  readonly deprecated?: Instance['deprecated'];
  readonly endpoints: readonly (string | Endpoint)[];
}

export function definitionOf({
  name,
  url,
  authorizedRoles = [],
  access = 'public',
  policy,
}: TestService): ServiceDefinition {
  return { name: name ?? (url.slice(1) || 'root'), url, authorizedRoles, access, ...(policy && { policy }) };
}

export function instanceOf(options: TestInstance): Instance {
  const { id, generation = 1, state = 'up', lease, merge, partial, deprecated, endpoints } = options;
  const all = endpoints.map((one) => (typeof one === 'string' ? { type: 'http' as const, url: one } : one));
  const instanceId = id ?? new URL(all[0]?.url ?? '').host.replace(':', '-');
  return {
    instanceId,
    generation,
    state,
    endpoints: all,
    merge,
    partial,
    deprecated,
    lease: lease ?? { ttlMs: 10_000 },
    registeredAt: 0,
  };
}

export interface TestCatalog extends Catalog {
  readonly position: Position;
  readonly appliedPositions: Position[];
  /** One change set, delivered to who watches. */
  change(...changes: Change[]): void;
  add(service: TestService, ...instances: TestInstance[]): void;
  /** Starts an epoch with nothing in it, or goes away, or comes back. */
  restart(epoch: string): void;
  away: boolean;
}

/** It has no rules: what is said to it happens. */
export function testCatalog(): TestCatalog {
  let snapshot: Snapshot = { epoch: 'one', revision: 1, services: [] };
  let log: ChangeSet[] = [];
  let wake: () => void = () => undefined;
  let woken = new Promise<void>((resolve) => (wake = resolve));
  let away = false;
  const appliedPositions: Position[] = [];

  function notify(): void {
    wake();
    woken = new Promise((resolve) => (wake = resolve));
  }
  function mustBeThere(): void {
    if (away) throw regError('registry_unavailable', 'nobody answers');
  }
  return {
    appliedPositions,
    get position() {
      return { epoch: snapshot.epoch, revision: snapshot.revision };
    },
    get away() {
      return away;
    },
    set away(value) {
      away = value;
      notify();
    },
    async snapshot() {
      mustBeThere();
      return structuredClone(snapshot);
    },
    async *changes({ epoch, revision }, signal) {
      let seen = revision;
      const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      while (!signal.aborted) {
        mustBeThere();
        if (epoch !== snapshot.epoch) throw regError('compacted', 'another epoch');
        for (const set of log) {
          if (set.revision <= seen) continue;
          seen = set.revision;
          yield structuredClone(set);
        }
        await Promise.race([woken, stopped]);
      }
    },
    async applied(position) {
      appliedPositions.push(position);
    },
    change(...changes) {
      const revision = snapshot.revision + 1;
      const services = changes.reduce(applyChange, snapshot.services);
      snapshot = { ...snapshot, revision, services };
      log.push({ revision, at: 0, changes });
      notify();
    },
    add(service, ...instances) {
      const definition = definitionOf(service);
      const registered = instances.map((one) => ({
        kind: 'instance-registered' as const,
        service: definition.name,
        instance: instanceOf(one),
      }));
      this.change({ kind: 'service-updated', service: definition }, ...registered);
    },
    restart(epoch) {
      snapshot = { epoch, revision: 1, services: [] };
      log = [];
      notify();
    },
  };
}

function applyChange(services: Snapshot['services'], change: Change): Snapshot['services'] {
  if (change.kind === 'service-updated') {
    const { service } = change;
    const known = services.find(({ name }) => name === service.name);
    const others = services.filter(({ name }) => name !== service.name);
    return [...others, { ...service, instances: known?.instances ?? [] }];
  }
  if (change.kind === 'service-removed') return services.filter(({ name }) => name !== change.service);
  return services.map((service) => {
    if (service.name !== change.service) return service;
    const id = 'instance' in change ? change.instance.instanceId : change.instanceId;
    const others = service.instances.filter(({ instanceId }) => instanceId !== id);
    return { ...service, instances: 'instance' in change ? [...others, change.instance] : others };
  });
}

/** A token of `tokens` below, good for the year 2100. */
export function tokenOf(subject: string, roles: readonly string[]): string {
  return signed({ sub: subject, roles, aud: 'reg', iss: 'reg', exp: 4_102_444_800 });
}

const noPosition: Position = { epoch: 'none', revision: 0 };

export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly catalog: TestCatalog;
  readonly port: number;
  readonly url: string;
  readonly log: AccessRecord[];
  readonly errors: unknown[];
  /** Waits until it has applied all that the catalog said. */
  follows(): Promise<void>;
}

export async function startGateway(
  options: Partial<GatewayOptions> & { catalog?: TestCatalog } = {},
): Promise<TestGateway> {
  const catalog = options.catalog ?? testCatalog();
  const log: AccessRecord[] = [];
  const errors: unknown[] = [];
  const gateway = createGateway({
    tokens: createTokenVerifier({ secret }),
    log: (record) => log.push(record),
    onError: (error) => errors.push(error),
    ...options,
    catalog,
  });
  const { port, url } = await gateway.listen({ port: 0 });
  const follows = async () => {
    await eventually(
      () => gateway.health().position,
      (position) => formatPosition(position ?? noPosition) === formatPosition(catalog.position),
    );
  };
  return { gateway, catalog, port, url, log, errors, follows, [Symbol.asyncDispose]: () => gateway.close() };
}

export interface TestUpstream extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/** Node's own server: the upstream that most people have. */
export async function startUpstream(
  listener: RequestListener,
): Promise<TestUpstream & { readonly server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy(); // node forgets those of upgrades
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface RawUpstream extends TestUpstream {
  readonly sockets: Socket[];
  /** Connections that were opened until now. */
  readonly connections: number;
}

/** Bytes as we say: what no server library would send. `serve` gets each chunk that came. */
export async function startRawUpstream(
  serve: (socket: Socket, received: string, connection: number) => void,
): Promise<RawUpstream> {
  const sockets: Socket[] = [];
  const server = net.createServer((socket) => {
    const connection = sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => serve(socket, chunk.toString('latin1'), connection));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    sockets,
    get connections() {
      return sockets.length;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port where nobody listens: it was free a moment ago. */
export async function deadPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** All bytes until the connection ended. */
  readonly text: string;
}

/** Sends bytes on a connection of its own, which the other side must end, and reads what comes back. */
export async function rawRequest(port: number, bytes: string): Promise<RawAnswer> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // a reset after the answer: the text tells
  socket.write(bytes, 'latin1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  return parseAnswer(Buffer.concat(chunks).toString('latin1'));
}

export function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, end === -1 ? text.length : end).split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(start.split(' ')[1] ?? 0),
    headers: Object.fromEntries(headers),
    body: end === -1 ? '' : text.slice(end + 4),
    text,
  };
}
