// The HTTP API: a request's way from its guard to its answer, the same for every operation. What is hot finds its
// way by itself, all else by Express (docs/decisions/0017-hot-operations-skip-express.md). Rules: ../registry.ts.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { GatewayReasons, OperationName } from '@reg/schema';
import { createSystemClock } from '../clock.ts';
import type { Registry } from '../registry.ts';
import { createCallerAddress } from './caller.ts';
import { createChangeStreams } from './change-streams.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import { createEndings } from './endings.ts';
import { guard } from './guard.ts';
import { createHandlers, type Handlers } from './handlers.ts';
import { createHotRoutes } from './hot-routes.ts';
import { readInput } from './input.ts';
import { type Log, logErrors } from './log.ts';
import { problemAnswer } from './problem.ts';
import { pathOf } from './query.ts';
import { createReasonHandlers, healthAlone } from './reasons.ts';
import { respond } from './respond.ts';
import { createRouter } from './router.ts';

interface ApiOptions {
  /** Who may call. @default everybody, on this machine alone: only a `Host` that is a loopback name is taken */
  readonly credentials?: Credentials | undefined;
  /** Called with a line per request and per fault of ours. @default errors go to the console */
  readonly log?: Log | undefined;
  /** Ends the streams of changes, and the wait of whoever waits for one; other requests are not touched. */
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryAppOptions extends ApiOptions {
  readonly registry: Registry;
  /** How often a stream of changes gets a comment. @default 5_000 */
  readonly keepAliveMs?: number | undefined;
  /** The gateway in the same process: health is of both, and it explains. Asked at each request. @default none */
  readonly gateway?: (() => GatewayReasons | undefined) | undefined;
  /** A secret that only that gateway has: with it, its word on a client's address counts. @default none */
  readonly gatewayProof?: string | undefined;
}

export interface AdminAppOptions extends ApiOptions {
  readonly gateway: GatewayReasons;
}

/**
 * The registry's HTTP API: give it to `http.createServer`, or mount it in an Express app with `app.use`. It takes
 * no writes from web pages of other origins, and without credentials only requests whose `Host` is a loopback name.
 * It does not limit heads, times or connections: `createRegistryServer` does.
 */
export function registryApp(options: RegistryAppOptions): RequestListener {
  const { registry, keepAliveMs = 5_000, signal = new AbortController().signal } = options;
  const { gateway = () => undefined } = options;
  const handlers = createHandlers(registry, { gateway, signal });
  const clock = createSystemClock();
  const streamChanges = createChangeStreams({ registry, clock, keepAliveMs, signal });
  return apiOf(handlers, streamChanges, { ...options, signal });
}

/** What a gateway alone says of itself: its part of the same API, under the same guard. */
export function adminApp({ gateway, ...options }: AdminAppOptions): RequestListener {
  const handlers = createReasonHandlers(
    () => healthAlone(gateway),
    () => gateway,
  );
  return apiOf(handlers, undefined, options);
}

/** Register, renew and look up: asked so often that the way through Express would be most of their cost. */
const hot: readonly OperationName[] = ['register', 'renew', 'renewMany', 'listServices', 'getService'];

/** Answers with what has a handler. */
function apiOf(
  handlers: Partial<Handlers>,
  streamChanges: ReturnType<typeof createChangeStreams> | undefined,
  {
    credentials,
    gatewayProof,
    log = logErrors,
    signal = new AbortController().signal,
  }: ApiOptions & Pick<RegistryAppOptions, 'gatewayProof'>,
): RequestListener {
  const clock = createSystemClock();
  const askerOf = createCredentials(credentials);
  const endOf = createEndings(signal);
  const addressOf = createCallerAddress([
    ...(gatewayProof === undefined ? [] : [gatewayProof]),
    ...(credentials ? [credentials.token.export()] : []),
  ]);
  const names = Object.keys(handlers) as OperationName[];
  const hotRouteOf = createHotRoutes(hot.filter((name) => names.includes(name)));
  const hosts = credentials ? 'any' : 'loopback';

  async function perform<Name extends OperationName>(
    name: Name,
    parameters: Readonly<Record<string, string>>,
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<void> {
    const caller = { ...askerOf(name, request), from: addressOf(request) }; // before anything of a body is read
    const input = await readInput(name, parameters, request, response);
    const all = handlers as Handlers; // only what it has is routed
    const given = await all[name](input, () => endOf(response), caller);
    if ('after' in given) await streamChanges?.(response, given, requestId);
    else respond(request, response, given, requestId);
  }

  function fail(error: unknown, request: IncomingMessage, response: ServerResponse, requestId: string): void {
    const problem = problemAnswer(error, requestId, log);
    if (response.headersSent) response.destroy();
    else respond(request, response, problem, requestId);
  }

  const router = createRouter(names, perform, fail);

  return async (request, response) => {
    const requestId = randomUUID();
    const startedAt = clock.now();
    response.on('close', () => {
      const status = response.headersSent ? response.statusCode : 0;
      const { method = '' } = request;
      const path = pathOf(sentTarget(request));
      log({ kind: 'access', requestId, method, path, status, ms: clock.now() - startedAt });
    });
    try {
      guard(request, sentTarget(request), hosts);
      const route = hotRouteOf(request.method, pathOf(request.url ?? ''));
      if (route) await perform(route.name, route.parameters, request, response, requestId);
      else router(request, response, requestId);
    } catch (error) {
      fail(error, request, response, requestId);
    }
  };
}

/** Where an Express app mounts us, `url` is only what it left of it. */
function sentTarget({ originalUrl, url = '' }: IncomingMessage & { originalUrl?: string }): string {
  return originalUrl ?? url;
}
