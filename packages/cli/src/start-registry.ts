// The registry of `reg up`: over its store, and its HTTP API where it has one.
import { randomBytes } from 'node:crypto';
import { createRegistry, type RegistryOptions, type Store } from '@reg/registry';
import { type AccessLine, type Credentials, createRegistryServer, type ErrorLine } from '@reg/registry/http';
import type { Catalog, GatewayReasons } from '@reg/schema';
import { InvalidArgumentError } from 'commander';
import type { ListenSockets } from './listen-sockets.ts';
import { listening } from './listening.ts';
import type { LogLines } from './log-lines.ts';
import type { Part } from './part.ts';

export interface RegistrySettings {
  readonly host: string;
  readonly registryPort: number;
  readonly sockets: ListenSockets;
  /** `path=service`, as the flag has it. */
  readonly grantPath?: readonly string[];
  readonly allowUpstreams?: readonly string[];
  /** Where gateways show this registry. */
  readonly registryPath?: string;
}

export interface StartedRegistry {
  /** Undefined: it has no API. */
  readonly url: string | undefined;
  /** What the gateway beside it shows, so that its word on a client's address counts. */
  readonly proof: string | undefined;
  /** This registry as the catalog of a gateway in the same process. */
  catalogOf(gateway: string): Catalog;
  /** False: it should be started again. */
  isLive(): boolean;
  /** From now on its API tells of this gateway too. */
  showGateway(gateway: GatewayReasons): void;
  /**
   * Waits until it has something to tell. @default it has already
   * @param hasKept the gateway has a snapshot to begin with. @throws where there is nothing to begin with
   */
  begin?(hasKept: boolean): Promise<void>;
}

/** @throws InvalidArgumentError */
export function registryRules({
  grantPath = [],
  allowUpstreams,
  registryPath,
}: RegistrySettings): Omit<RegistryOptions, 'store'> {
  return {
    grants: grantPath.map(grantOf),
    allowUpstreams,
    reservedPaths: registryPath === undefined ? [] : [registryPath],
  };
}

/** The registry with its API. @param parts gets what is to be closed again */
export async function startRegistry(
  store: Store,
  settings: RegistrySettings,
  credentials: Credentials | undefined,
  log: LogLines,
  parts: Part[],
): Promise<StartedRegistry> {
  const registry = createRegistry({ store, ...registryRules(settings) });
  parts.push(registry);
  const proof = randomBytes(32).toString('hex');
  let gateway: GatewayReasons | undefined;
  const server = await listening(
    createRegistryServer({
      registry,
      credentials,
      gateway: () => gateway,
      gatewayProof: proof,
      host: settings.host,
      port: settings.registryPort,
      fd: settings.sockets.registry,
      log: apiLog('registry', log),
    }),
    '--registry-port',
  );
  parts.push(server);
  return {
    url: server.url,
    proof,
    catalogOf: (name) => registry.catalog(name),
    isLive: () => registry.health().live.ok,
    showGateway(started) {
      gateway = started;
    },
  };
}

function grantOf(text: string): { path: string; service: string } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) {
    throw new InvalidArgumentError(`--grant-path needs path=service, like /=Web, not ${text}`);
  }
  return { path: text.slice(0, at), service: text.slice(at + 1) };
}

/** @param part whose API it is, as the lines name it */
export function apiLog(part: string, log: LogLines): (line: AccessLine | ErrorLine) => void {
  return (line) => {
    if (worthTelling(line)) log.add(log.form === 'json' ? asJson(part, line) : asPretty(part, line));
  };
}

/** Reads, renewals and the gateways' reports come all the time and change nothing: told only where they fail. */
function worthTelling(line: AccessLine | ErrorLine): boolean {
  if (line.kind === 'error' || line.status >= 400) return true;
  return (
    line.method !== 'GET' &&
    line.method !== 'HEAD' &&
    !/\/(lease|load)$|^\/v1\/(leases|gateways\/)/.test(line.path)
  );
}

function asJson(part: string, line: AccessLine | ErrorLine): string {
  return JSON.stringify({
    part,
    ...line,
    ...(line.kind === 'error' && { error: textOf(line.error) }),
  });
}

function asPretty(part: string, line: AccessLine | ErrorLine): string {
  if (line.kind === 'error') return `${part}  failed  ${line.requestId}  ${textOf(line.error)}`;
  return `${part}  ${line.status}  ${line.method} ${line.path}  ${line.ms} ms`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
