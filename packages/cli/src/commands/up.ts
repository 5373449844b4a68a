// `reg up`: a registry and a gateway in one process, or either alone, until a signal ends it.
import { mkdir } from 'node:fs/promises';
import type { Credentials } from '@reg/registry/http';
import { InvalidArgumentError } from 'commander';
import { type CallerTokens, callerTokens, type TokenSettings } from '../caller-tokens.ts';
import { type ListenSockets, takeListenSockets } from '../listen-sockets.ts';
import { createLogLines, type LogForm, type LogLines } from '../log-lines.ts';
import { logOf } from '../log-of.ts';
import type { Part } from '../part.ts';
import { printJson, printLine } from '../print.ts';
import { refuseWithoutCredentials, registryCredentials } from '../registry-credentials.ts';
import { checkRegistryPath } from '../registry-path.ts';
import { dataFolder } from '../secret-file.ts';
import { createServiceManager } from '../service-manager.ts';
import { startGateway } from '../start-gateway.ts';
import { startReader } from '../start-reader.ts';
import { type StartedRegistry, startRegistry } from '../start-registry.ts';
import { stopSignal } from '../stop-signal.ts';
import { isStoreAway, openStore, shownStore } from '../store.ts';

export interface UpOptions extends TokenSettings {
  readonly gatewayPort: number;
  readonly adminPort?: number;
  readonly registryPort: number;
  readonly host: string;
  readonly registryOnly?: boolean;
  readonly gatewayOnly?: boolean;
  readonly store: string;
  readonly registry: string;
  readonly registryPath?: string;
  readonly registryToken?: string;
  readonly revoked?: string;
  readonly data?: string;
  readonly allowOrigin?: readonly string[];
  readonly allowUpstreams?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly grantPath?: readonly string[];
  readonly log?: LogForm;
  readonly json?: boolean;
}

/** What runs, as it is printed. */
interface Running {
  readonly gateway?: string;
  readonly admin?: string;
  readonly registry?: string;
  /** The database, if there is one; without what lets us in. */
  readonly store?: string;
  readonly data: string;
  /** Where the secret is, never the secret itself. */
  readonly jwtSecret?: string;
  /** There was none before. */
  readonly jwtSecretMade?: boolean;
  /** Where the issuer's keys are. */
  readonly jwtJwks?: string;
}

export async function up(options: UpOptions): Promise<void> {
  refuseWithoutCredentials(options);
  checkRegistryPath(options);
  const sockets = socketsFor(options);
  const stop = stopSignal();
  const stopped = new AbortController();
  void stop.then(() => stopped.abort());
  const parts: Part[] = [];
  try {
    const { running, isLive, note } = await start({ ...options, sockets }, parts, stopped.signal);
    const { env: environment, pid } = process;
    const manager = createServiceManager({ environment, pid, isLive, log: note });
    show(running, options.json);
    await manager.ready();
    await stop;
    await manager.stopping();
  } catch (error) {
    if (!stopped.signal.aborted) throw error; // who ended it meanwhile has no use for what did not start
  } finally {
    for (const part of parts.reverse()) await part.close(); // the gateway first, then what it stands on
  }
}

/** Of systemd, for what runs here. */
function socketsFor({ registryOnly, gatewayOnly }: UpOptions): ListenSockets {
  const sockets = takeListenSockets(process.env, process.pid);
  const idle = registryOnly ? 'gateway' : gatewayOnly ? 'registry' : undefined;
  if (idle === undefined || sockets[idle] === undefined) return sockets;
  throw new InvalidArgumentError(`systemd gave a socket ${idle}, and no ${idle} runs here`);
}

type Settings = UpOptions & { readonly sockets: ListenSockets };

interface Started {
  readonly running: Running;
  isLive(): boolean;
  /** A line of the log. */
  note(line: string): void;
}

/**
 * @param parts gets each part as it starts, so that it is closed also when a later one fails
 * @param stopped ends the waiting for a database
 */
async function start(options: Settings, parts: Part[], stopped: AbortSignal): Promise<Started> {
  const data = dataFolder(options.data);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const log = createLogLines(options.log ?? (process.stderr.isTTY ? 'pretty' : 'json'));
  parts.push(log);
  // First of all: a secret that is no good must not cost a port.
  const credentials = await registryCredentials(options, log, parts);
  const tokens = options.registryOnly ? undefined : await callerTokens(options, data, logOf('tokens', log));
  if (tokens) parts.push({ close: async () => tokens.verifier.close() });
  const registry = await startOverStore(options, credentials, log, parts, stopped);
  const gateway = tokens && (await startGateway({ ...options, data }, registry, tokens, log, parts));
  if (gateway && options.sockets.gateway !== undefined) {
    refuseWithoutCredentials({ ...options, host: new URL(gateway.url).hostname.replace(/^\[|\]$/g, '') });
  }
  const running = {
    ...(gateway && { gateway: gateway.url }),
    ...(gateway?.admin && { admin: gateway.admin }),
    ...(registry?.url && { registry: registry.url }),
    ...(registry && options.store !== 'memory' && { store: shownStore(options.store) }),
    data,
    ...(tokens && shownTokens(options, tokens)),
  };
  const isLive = () => [registry, gateway].every((part) => part?.isLive() ?? true);
  return { running, isLive, note: logOf('systemd', log) };
}

/** Undefined: a gateway alone, that follows a registry across the network. */
async function startOverStore(
  options: Settings,
  credentials: Credentials | undefined,
  log: LogLines,
  parts: Part[],
  stopped: AbortSignal,
): Promise<StartedRegistry | undefined> {
  if (options.gatewayOnly && options.store === 'memory') return undefined;
  const say = logOf('store', log);
  const open = (signal: AbortSignal) => openStore(options.store, say, signal);
  if (options.gatewayOnly)
    return startReader({ open, isAway: isStoreAway, log: say, stopped }, options, parts);
  return startRegistry(await open(stopped), options, credentials, log, parts);
}

function shownTokens({ jwtJwks }: UpOptions, { from, made }: CallerTokens): Partial<Running> {
  return jwtJwks === undefined ? { jwtSecret: from, jwtSecretMade: made } : { jwtJwks: from };
}

/** Lines of two columns, and perhaps a remark. */
function show(running: Running, json: boolean | undefined): void {
  if (json) {
    printJson(running);
    return;
  }
  const { gateway, admin, registry, store, data, jwtSecret, jwtSecretMade, jwtJwks } = running;
  if (gateway) printLine(`gateway  ${gateway}`);
  if (admin) printLine(`admin    ${admin}`);
  if (registry) printLine(`registry ${registry}`);
  if (store) printLine(`store    ${store}`);
  printLine(`data     ${data}`);
  if (jwtJwks) printLine(`jwt-jwks ${jwtJwks}`);
  if (jwtSecret)
    printLine(`jwt-secret ${jwtSecret}${jwtSecretMade ? ' (made now, reg token finds it)' : ''}`);
}
