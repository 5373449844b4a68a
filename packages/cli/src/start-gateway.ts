// The gateway of `reg up`, in front of the registry of this process or of one across the network.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type CatalogOptions, createCatalog } from '@reg/client';
import { createGateway, formatJson, formatPretty, type Gateway } from '@reg/gateway';
import { createAdminServer } from '@reg/registry/http';
import type { Catalog } from '@reg/schema';
import type { CallerTokens } from './caller-tokens.ts';
import type { ListenSockets } from './listen-sockets.ts';
import { listening } from './listening.ts';
import type { LogLines } from './log-lines.ts';
import { logOf } from './log-of.ts';
import type { Part } from './part.ts';
import { apiLog, type StartedRegistry } from './start-registry.ts';
import { tellCatalog } from './tell-catalog.ts';

export interface GatewaySettings {
  readonly host: string;
  readonly gatewayPort: number;
  readonly sockets: ListenSockets;
  /** Where it tells of itself. */
  readonly adminPort?: number;
  /** Where the registry is, if not in this process. */
  readonly registry: string;
  /** What that registry is shown. */
  readonly registryToken?: string;
  /** The data folder. */
  readonly data: string;
  /** Whose web pages may open WebSockets. */
  readonly allowOrigin?: readonly string[];
  readonly allowUpstreams?: readonly string[];
  readonly trustedProxies?: readonly string[];
  /** Where the registry is shown behind the gateway. */
  readonly registryPath?: string;
}

export interface StartedGateway {
  readonly url: string;
  /** Where it tells of itself. */
  readonly admin: string | undefined;
  /** False: it should be started again. */
  isLive(): boolean;
}

/**
 * Resolves when it listens; beside a registry in this process also when it knows what that one knows.
 * On its own it keeps its last snapshot on disk, so that it can start while the registry, or the database that
 * it reads itself, is away.
 * @param parts gets what is to be closed again
 */
export async function startGateway(
  {
    host,
    gatewayPort,
    sockets,
    adminPort,
    registry,
    registryToken: token,
    registryPath: path,
    data,
    allowOrigin,
    allowUpstreams,
    trustedProxies,
  }: GatewaySettings,
  beside: StartedRegistry | undefined,
  { verifier }: CallerTokens,
  log: LogLines,
  parts: Part[],
): Promise<StartedGateway> {
  const name = gatewayName(gatewayPort);
  const { catalog, address } = followed(beside, { registry, token, gateway: name });
  const gateway = createGateway({
    catalog,
    tokens: verifier,
    allowOrigins: allowOrigin,
    allowUpstreams,
    trustedProxies,
    ...(path !== undefined && { registry: { path, address, proof: beside?.proof ?? token } }),
    log: (record) => log.add(log.form === 'json' ? formatJson(record) : formatPretty(record)),
    ...(!beside?.url && { dataFile: join(data, 'gateway-snapshot.json') }),
  });
  const admin = await startAdmin({ gateway, host, adminPort, log }, parts);
  parts.push(gateway);
  if (!beside) parts.push(tellCatalog(gateway, logOf('gateway', log)));
  beside?.showGateway(gateway);
  await beside?.begin?.(gateway.health().position !== undefined);
  const { url } = await listening(
    gateway.listen({ host, port: gatewayPort, fd: sockets.gateway }),
    '--gateway-port',
  );
  if (beside) await gateway.ready();
  return { url, admin, isLive: () => gateway.health().live.ok };
}

interface AdminSettings {
  readonly gateway: Gateway;
  readonly host: string;
  readonly adminPort: number | undefined;
  readonly log: LogLines;
}

/** It is closed after the gateway: so it says that the gateway is closing, while that finishes what it has. */
async function startAdmin({ gateway, host, adminPort, log }: AdminSettings, parts: Part[]) {
  if (adminPort === undefined) return undefined;
  const admin = await listening(
    createAdminServer({ gateway, host, port: adminPort, log: apiLog('admin', log) }),
    '--admin-port',
  );
  parts.push(admin);
  return admin.url;
}

/** The registry of this process, or of several across the network the one that answers. */
function followed(
  beside: StartedRegistry | undefined,
  options: CatalogOptions & { readonly gateway: string },
): { readonly catalog: Catalog; readonly address: () => string } {
  if (beside) return { catalog: beside.catalogOf(options.gateway), address: () => beside.url ?? '' };
  const catalog = createCatalog(options);
  return { catalog, address: () => catalog.address.href };
}

/** Two gateways never share a name: the registry waits for each of them. Its alphabet is that of ids. */
function gatewayName(port: number): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]+/g, '-')
    .slice(0, 60);
  return `${host}-${port}-${randomBytes(4).toString('hex')}`;
}
