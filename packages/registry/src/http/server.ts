// The API on a socket of its own: limits on heads, times and connections, and an end that is quick.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { regError } from '@reg/schema';
import { type AdminAppOptions, adminApp, type RegistryAppOptions, registryApp } from './app.ts';
import { isLoopbackName } from './guard.ts';
import { logErrors } from './log.ts';
import { answerUnreadable, followAnswers } from './unreadable.ts';

interface ListenOptions {
  /** An address or `localhost`; beyond loopback only with `credentials`. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  /** A TCP socket that listens already, instead: of systemd, say. Where it listens counts as `host` does. */
  readonly fd?: number | undefined;
}

export interface RegistryServerOptions extends Omit<RegistryAppOptions, 'signal'>, ListenOptions {}
export interface AdminServerOptions extends Omit<AdminAppOptions, 'signal'>, ListenOptions {}

export interface RegistryServer {
  /** `http://127.0.0.1:3100` */
  readonly url: string;
  readonly port: number;
  /** Ends streams and idle connections at once, requests under way within 2 s. The registry stays open. */
  close(): Promise<void>;
}

const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  /** Longer than clients keep idle connections (undici 4 s, most proxies 60 s), so that they close first. */
  keepAliveTimeout: 65_000,
  /** The guard answers instead, with a problem. */
  requireHostHeader: false,
};
const maxConnections = 10_000;
const maxClosingMs = 2_000;

/** @throws node's listen error (`EADDRINUSE`, `EACCES`), with its `port`; `invalid_request`: beyond loopback without credentials */
export function createRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  return serve((signal) => registryApp({ ...options, signal }), options);
}

/** `GET /v1/health` and `GET /v1/explain` of a gateway that has no registry in its process. @throws as above */
export function createAdminServer(options: AdminServerOptions): Promise<RegistryServer> {
  return serve((signal) => adminApp({ ...options, signal }), options);
}

async function serve(
  appOf: (closing: AbortSignal) => RequestListener,
  {
    host = '127.0.0.1',
    port,
    fd,
    log = logErrors,
    credentials,
  }: ListenOptions & Pick<RegistryAppOptions, 'log' | 'credentials'>,
): Promise<RegistryServer> {
  if (!credentials) refuseBeyondLoopback(host);
  const closing = new AbortController();
  const app = appOf(closing.signal);
  const server = createServer(limits, app);
  server.maxConnections = maxConnections;
  server.maxHeadersCount = 0; // else node drops what is beyond 2,000 in silence; maxHeaderSize bounds them
  // The app asks for a body when it wants it; other expectations may be ignored (RFC 9110 §10.1.1).
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  followAnswers(server);
  server.on('clientError', (error, socket) => answerUnreadable(error, socket, log));
  server.on('connect', (_, socket) =>
    answerUnreadable(regError('method_not_allowed', 'CONNECT'), socket, log),
  );
  const answered = () => closing.signal.aborted && server.closeIdleConnections();
  server.on('request', (_, response) => response.on('close', answered));
  server.listen(fd === undefined ? { host, port } : { fd });
  await once(server, 'listening');
  const { address, port: actualPort } = boundTo(server, fd, credentials !== undefined);

  let closed: Promise<void> | undefined;
  const close = async () => {
    closing.abort();
    const late = setTimeout(() => server.closeAllConnections(), maxClosingMs);
    const ended = once(server, 'close');
    server.close();
    await ended;
    clearTimeout(late);
  };
  return {
    url: `http://${urlHost(fd === undefined ? host : address)}:${actualPort}`,
    port: actualPort,
    close() {
      closed ??= close();
      return closed;
    },
  };
}

function refuseBeyondLoopback(host: string): void {
  if (isLoopbackName(urlHost(host))) return;
  throw regError('invalid_request', `host ${host} is no loopback address, and there are no credentials`);
}

/** Before the event loop takes a connection. @throws where a socket that was given is not one to listen on */
function boundTo(server: Server, fd: number | undefined, hasCredentials: boolean): AddressInfo {
  const address = server.address();
  try {
    if (address === null || typeof address === 'string')
      throw regError('invalid_request', `file descriptor ${fd} is no TCP socket`);
    if (fd !== undefined && !hasCredentials) refuseBeyondLoopback(address.address);
    return address;
  } catch (error) {
    server.close();
    throw error;
  }
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
