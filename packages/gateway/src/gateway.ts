// The request path, top to bottom. A stage is one file in stages/; it gives its result or a Refusal.
import type { Catalog, ExplainQuestion, Explanation, GatewayHealth, GatewayReasons } from '@reg/schema';
import { defaultUpstreamNetworks, parseNetworks } from '@reg/schema/networks';
import { isRegError } from '@reg/schema/problem';
import { now as clockNow } from './clock.ts';
import { begin, type Exchange } from './exchange.ts';
import { explain } from './explain/explain.ts';
import { createDegradedAnswers } from './fallback/degraded-answers.ts';
import { createKeptAnswers } from './fallback/kept-answers.ts';
import type { WholeAnswer } from './fallback/whole-answer.ts';
import { healthOf } from './health.ts';
import { countOutcome } from './load/count-outcome.ts';
import { startLoadMeters } from './load/load-meters.ts';
import { createRegistryPath, type RegistryPathOptions } from './registry-path.ts';
import { followCatalog } from './routes/follow-catalog.ts';
import { keepOnDisk } from './routes/keep-on-disk.ts';
import { laterRoute } from './routes/route.ts';
import type { RouteTable } from './routes/route-table.ts';
import { accept } from './stages/accept.ts';
import { authenticate } from './stages/authenticate.ts';
import { authorize } from './stages/authorize.ts';
import { checkOrigin, parseOrigins } from './stages/check-origin.ts';
import { type DispatchOptions, dispatch } from './stages/dispatch.ts';
import { fallBack } from './stages/fall-back.ts';
import { matchRoute } from './stages/match-route.ts';
import type { Merged } from './stages/merge-parts.ts';
import { type AccessRecord, accessRecord } from './stages/observe.ts';
import { type OwnAnswer, ownAnswer } from './stages/own-answer.ts';
import { isRefusal, type Refusal, refuse } from './stages/refusal.ts';
import { respond } from './stages/respond.ts';
import type { TokenVerifier } from './tokens/verifier.ts';
import {
  createNodeTransport,
  type ListenOptions,
  type NodeHandler,
  type NodeUpgradeHandler,
} from './transport/node-server.ts';
import type { Answer } from './upstreams/attempt.ts';
import { createConnectionPools } from './upstreams/connection-pools.ts';

export interface GatewayOptions {
  /** The registry in this process, or `@reg/client`'s catalog across the network. */
  readonly catalog: Catalog;
  /** `createTokenVerifier`. */
  readonly tokens: TokenVerifier;
  /** One record per request; `formatJson` and `formatPretty` make a line of it. @default none */
  readonly log?: ((record: AccessRecord) => void) | undefined;
  /** Faults of ours, with their stack. @default console.error */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Until the head of an attempt's answer. @default 30_000 */
  readonly upstreamTimeoutMs?: number | undefined;
  /** Until the head of an answer, over all attempts. @default 60_000 */
  readonly requestTimeoutMs?: number | undefined;
  /** Until an upstream is connected. @default 1_000 */
  readonly connectTimeoutMs?: number | undefined;
  /** Nothing comes of an answer; of a WebSocket, nothing passes either way: it is broken off. @default 60_000 */
  readonly idleTimeoutMs?: number | undefined;
  /** Longer bodies of requests are refused (413). @default Infinity: they are streamed, never kept */
  readonly maxBodyBytes?: number | undefined;
  /** Web pages of these origins may open WebSockets, beside those of the gateway's own. @default none */
  readonly allowOrigins?: readonly string[] | undefined;
  /** Networks in which upstreams may be; link-local and cloud metadata never are. @default loopback and private ranges */
  readonly allowUpstreams?: readonly string[] | undefined;
  /** Networks of the proxies in front: what they say of the client's address is believed. @default none */
  readonly trustedProxies?: readonly string[] | undefined;
  /** The registry's API below a path of this gateway, with the registry's own credentials. @default none */
  readonly registry?: RegistryPathOptions | undefined;
  /** Where the last snapshot is kept, to serve from when the registry is away at the next start. */
  readonly dataFile?: string | undefined;
  /** Of answers kept for services whose policy has a fallback to them. @default 64 MiB */
  readonly keptAnswersBytes?: number | undefined;
  /** Milliseconds since 1970. @default a clock that never runs back */
  readonly now?: (() => number) | undefined;
}

export interface Gateway extends GatewayReasons {
  /** @throws the error of `net.Server.listen`: `EADDRINUSE`, `EACCES` */
  listen(options: ListenOptions): Promise<{ readonly url: string; readonly port: number }>;
  /** For `express().use(…)` or `http.createServer(…)`; it answers every request that reaches it. */
  handler(): NodeHandler;
  /** For `server.on('upgrade', …)` beside `handler()`: WebSockets. Any other upgrade is an ordinary request. */
  upgrade(): NodeUpgradeHandler;
  /** Live and ready apart, each with its reasons. */
  health(): GatewayHealth;
  /** What would become of a request, and why; nothing is sent or counted. */
  explain(question: ExplainQuestion): Promise<Explanation>;
  /** Resolves once there are routes: a snapshot came, or one was kept. */
  ready(): Promise<void>;
  /** Takes no more, finishes what is in flight (at most 10 s), ends tunnels, lets go of the registry. */
  close(): Promise<void>;
}

const closeWithinMs = 10_000;

/** Below the 5 s after which node's own server closes an idle connection. */
const idleMs = 4_000;

const everywhere = parseNetworks(['0.0.0.0/0', '::/0']);

/** @throws Error for one of `allowOrigins` that is no origin, a network that is none, a path that the registry cannot have */
export function createGateway({
  catalog,
  tokens,
  log,
  onError = console.error,
  upstreamTimeoutMs = 30_000,
  requestTimeoutMs = 60_000,
  connectTimeoutMs = 1_000,
  idleTimeoutMs = 60_000,
  maxBodyBytes = Number.POSITIVE_INFINITY,
  allowOrigins = [],
  allowUpstreams = defaultUpstreamNetworks,
  trustedProxies = [],
  registry,
  dataFile,
  keptAnswersBytes = 64 * 1024 * 1024,
  now = clockNow,
}: GatewayOptions): Gateway {
  let table: RouteTable | undefined; // none yet: 503 catalog_unavailable
  let becomeReady = () => {};
  const isReady = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });
  let closingSince: number | undefined;
  const origins = parseOrigins(allowOrigins);
  const proxies = parseNetworks(trustedProxies);
  const upstreamNetworks = parseNetworks(allowUpstreams);
  const pools = createConnectionPools({ connectTimeoutMs, idleMs, upstreamNetworks });
  // Where the registry is, the operator says, not a registration.
  const registryPools = createConnectionPools({ connectTimeoutMs, idleMs, upstreamNetworks: everywhere });
  const registryPath = registry && createRegistryPath(registry, registryPools, now);
  const kept = createKeptAnswers(keptAnswersBytes);
  const degraded = createDegradedAnswers(now);
  const disk = keepOnDisk(dataFile, onError);
  const follower = followCatalog({
    catalog,
    pools,
    now,
    kept: disk.kept,
    changed(next) {
      table = next; // built whole, then swapped
      disk.changed(() => follower.view?.snapshot());
      becomeReady();
    },
  });

  const meters = startLoadMeters(catalog, () => table);

  const isForRegistry = (target: string) => registryPath?.has(target) ?? false;
  const health = () => healthOf(follower, tokens.fault, closingSince, degraded);
  const routeOf = (service: string) => follower.view?.routeOf(service);

  async function decide(exchange: Exchange): Promise<Answer | Merged | OwnAnswer | WholeAnswer | Refusal> {
    const forRegistry = isForRegistry(exchange.request.target);
    const accepted = accept(exchange.request, maxBodyBytes, forRegistry); // 400 405 413 431
    if (isRefusal(accepted)) return accepted;
    const foreign = checkOrigin(exchange, origins); // 403
    if (foreign) return foreign;
    if (forRegistry && registryPath) return registryPath.ask(accepted, exchange); // it asks who it is itself
    const own = ownAnswer(exchange.request, accepted.path, health); // below /_reg
    if (own) return own;
    const route = matchRoute(exchange, accepted.path); // 404 405 503
    if (isRefusal(route)) return route;
    exchange.route = route;
    const asked = authenticate(exchange.request.headers, route.definition.access, tokens); // 401
    const principal = asked instanceof Promise ? await asked : asked; // at once where the token is remembered
    if (isRefusal(principal)) return principal;
    exchange.subject = principal?.subject;
    const grant = authorize(principal, route.definition); // 403, the only maker of a Grant
    if (isRefusal(grant)) return grant;
    const later = () => laterRoute(route, table?.at(route.definition.url));
    const meter = meters.of(route.definition.name);
    exchange.meter = meter;
    meter.began();
    const dispatchOptions: DispatchOptions = {
      upstreamTimeoutMs,
      requestTimeoutMs,
      idleTimeoutMs,
      now,
      later,
    };
    const outcome = await dispatch(grant, route, accepted, exchange, dispatchOptions); // 501–504
    countOutcome(exchange, outcome, now());
    const fallback = route.definition.policy?.fallback;
    if (!fallback) return outcome;
    const about = { fallback, grant, accepted, exchange, dispatchOptions, kept, degraded, tokens, routeOf };
    return fallBack(outcome, about); // no 502–504 where it has something to say instead
  }

  function refusalFor(error: unknown): Refusal {
    if (isRegError(error) && error.code !== 'internal') return refuse(error.code, error.message);
    onError(error);
    return refuse('internal', 'see the log'); // it may hold secrets
  }

  const transport = createNodeTransport(async (request, response) => {
    const exchange = begin(request, response, table, proxies, now()); // keeps this table to its end
    const outcome = await decide(exchange).catch(refusalFor);
    await respond(exchange, outcome); // never rejects
    exchange.meter?.ended();
    log?.(accessRecord(exchange, now()));
  });

  return {
    listen: (options) => transport.listen(options),
    handler: () => transport.handler,
    upgrade: () => transport.upgrade,
    health,
    explain: (question) =>
      explain(question, { table, tokens, health, isForRegistry, kept, routeOf, now: now() }),
    ready: () => isReady,
    async close() {
      closingSince ??= now(); // first of all: who asks is told to go elsewhere
      registryPath?.close();
      await transport.close(closeWithinMs);
      follower.close();
      meters.close();
      pools.destroy();
      registryPools.destroy();
      await disk.close();
    },
  };
}
