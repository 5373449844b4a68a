// For the tests of this folder: a real registry behind a real server, and requests that say exactly what
// they are told to, also what no well-behaved client would.
import { once } from 'node:events';
import { type Agent, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import type { GatewayReasons, Problem } from '@reg/schema';
import { createMemoryStore } from '../memory-store.ts';
import { createRegistry, type Registry, type RegistryOptions } from '../registry.ts';
import type { Store } from '../store.ts';
import type { Credentials } from './credentials.ts';
import type { AccessLine, ErrorLine } from './log.ts';
import { createRegistryServer } from './server.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Undefined where the body is no JSON. */
  readonly json: Record<string, unknown> | undefined;
  readonly problem: Problem;
}

export interface Request {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  /** A string or bytes as they are; anything else as JSON. */
  readonly body?: unknown;
}

export interface TestApi extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly registry: Registry;
  readonly store: Store;
  readonly lines: (AccessLine | ErrorLine)[];
  readonly server: { close(): Promise<void> };
  send(request: Request): Promise<Reply>;
  /** Writes `text` on a socket and reads until the server ends it. */
  raw(...chunks: (string | Uint8Array)[]): Promise<string>;
}

export interface TestApiOptions extends Partial<RegistryOptions> {
  readonly logCapacity?: number;
  readonly keepAliveMs?: number;
  readonly credentials?: Credentials | undefined;
  readonly gatewayProof?: string | undefined;
  /** Beside the registry. */
  readonly gateway?: GatewayReasons;
  /** What stands between the server and the registry. */
  readonly between?: (registry: Registry) => Registry;
}

export async function startApi({
  keepAliveMs,
  gateway,
  logCapacity = 10_000,
  credentials,
  gatewayProof,
  between = (registry) => registry,
  ...options
}: TestApiOptions = {}): Promise<TestApi> {
  const store = createMemoryStore({ logCapacity });
  const registry = createRegistry({ store, ...options });
  const lines: (AccessLine | ErrorLine)[] = [];
  const log = (line: AccessLine | ErrorLine) => void lines.push(line);
  const server = await createRegistryServer({
    registry: between(registry),
    gateway: () => gateway,
    port: 0,
    log,
    keepAliveMs,
    credentials,
    gatewayProof,
  });
  return {
    url: server.url,
    port: server.port,
    registry,
    store,
    lines,
    server,
    send: (one) => send(server.port, one),
    raw: (...chunks) => raw(server.port, chunks),
    async [Symbol.asyncDispose]() {
      await server.close();
      await registry.close();
    },
  };
}

export async function send(
  port: number,
  { method = 'GET', path, headers = {}, body }: Request,
  agent: Agent | false = false,
): Promise<Reply> {
  const isText = typeof body === 'string' || body instanceof Uint8Array;
  const bytes =
    body === undefined ? undefined : isText ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  const sent = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent,
    headers: {
      ...(bytes && { 'Content-Type': 'application/json', 'Content-Length': bytes.length }),
      ...headers,
    },
  });
  sent.end(bytes);
  const [response] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const json =
    /json/.test(response.headers['content-type'] ?? '') && text !== '' ? JSON.parse(text) : undefined;
  return { status: response.statusCode, headers: response.headers, text, json, problem: json };
}

async function raw(port: number, chunks: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.on('error', () => {}); // the server may close while we still write; what it said before counts
  for (const chunk of chunks) socket.write(chunk);
  await once(socket, 'close');
  return answer;
}

interface RegistrationFields {
  readonly url?: string;
  readonly port?: number;
  readonly [more: string]: unknown;
}

/** The readable document of the original, as a body. */
export function registrationOf({ url = '/tickets', port = 3001, ...more }: RegistrationFields = {}) {
  return {
    url,
    endpoints: [{ type: 'http' as const, url: `http://127.0.0.1:${port}/x` }],
    authorizedRoles: ['tickets-query'],
    lease: 'none' as const,
    ...more,
  };
}
