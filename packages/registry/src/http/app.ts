// The HTTP API: a request's way from its guard to its answer, the same for every operation. Why Express has no
// part in it: docs/decisions/0017-an-api-without-a-framework.md. Rules are in ../registry.ts.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type GatewayReasons, type OperationName, regError } from '@reg/schema';
import { createSystemClock } from '../clock.ts';
import type { Registry } from '../registry.ts';
import { createChangeStreams } from './change-streams.ts';
import { type Asker, type Credentials, createCredentials } from './credentials.ts';
import { createEndings } from './endings.ts';
import { guard } from './guard.ts';
import { type Answer, type ChangesAnswer, createHandlers, type Handlers } from './handlers.ts';
import { readInput } from './input.ts';
import { type Log, logErrors } from './log.ts';
import { problemAnswer } from './problem.ts';
import { pathOf } from './query.ts';
import { createReasonHandlers, healthAlone } from './reasons.ts';
import { respond } from './respond.ts';
import { createRoutes } from './routes.ts';

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
}

export interface AdminAppOptions extends ApiOptions {
  readonly gateway: GatewayReasons;
}

/**
 * The registry's HTTP API: give it to `http.createServer`, or mount it in an Express app with `app.use`. It takes no writes from web pages of other origins, and without credentials only requests whose
 * `Host` is a loopback name.
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

/** Answers with what has a handler. */
function apiOf(
  handlers: Partial<Handlers>,
  streamChanges: ReturnType<typeof createChangeStreams> | undefined,
  { credentials, log = logErrors, signal = new AbortController().signal }: ApiOptions,
): RequestListener {
  const clock = createSystemClock();
  const askerOf = createCredentials(credentials);
  const endOf = createEndings(signal);
  const routeOf = createRoutes(Object.keys(handlers) as OperationName[]);
  const hosts = credentials ? 'any' : 'loopback';

  async function answer(request: IncomingMessage, response: ServerResponse, requestId: string) {
    guard(request, sentTarget(request), hosts);
    const { operations, parameters } = routeOf(pathOf(request.url ?? '')) ?? refusePath();
    const name = operations.get(request.method ?? '') ?? refuseMethod(request, response, operations);
    const asker = askerOf(name, request); // before anything of a body is read
    const all = handlers as Handlers; // only what it has is routed
    const given = await perform(all, name, parameters, request, response, endOf, asker);
    if ('after' in given) await streamChanges?.(response, given, requestId);
    else respond(request, response, given, requestId);
  }

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
      await answer(request, response, requestId);
    } catch (error) {
      const problem = problemAnswer(error, requestId, log);
      if (response.headersSent) response.destroy();
      else respond(request, response, problem, requestId);
    }
  };
}

async function perform<Name extends OperationName>(
  handlers: Handlers,
  name: Name,
  parameters: Readonly<Record<string, string>>,
  request: IncomingMessage,
  response: ServerResponse,
  endOf: (response: ServerResponse) => AbortSignal,
  asker: Asker,
): Promise<Answer | ChangesAnswer> {
  const input = await readInput(name, parameters, request, response);
  return await handlers[name](input, () => endOf(response), asker);
}

/** Where an Express app mounts us, `url` is only what it left of it. */
function sentTarget({ originalUrl, url = '' }: IncomingMessage & { originalUrl?: string }): string {
  return originalUrl ?? url;
}

function refusePath(): never {
  throw regError('not_found', 'there is nothing at this path: see docs/http-api.md');
}

/** RFC 9110 §15.5.6: what is allowed is said. OPTIONS too is refused: nothing is offered to other origins. */
function refuseMethod(
  { method }: IncomingMessage,
  response: ServerResponse,
  operations: ReadonlyMap<string, OperationName>,
): never {
  const methods = [...operations.keys()].join(', ');
  response.setHeader('Allow', methods);
  throw regError('method_not_allowed', `${method} is not allowed here: ${methods}`);
}
