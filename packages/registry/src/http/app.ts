// The HTTP API as an Express app. Its routes are read off the contract; rules are in ../registry.ts.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { contract, type GatewayReasons, type OperationName, regError } from '@reg/schema';
import express, { type NextFunction, type Request, type Response } from 'express';
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
import { createReasonHandlers, healthAlone } from './reasons.ts';
import { respond } from './respond.ts';

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
 * The registry's HTTP API as an ordinary Express app: give it to `http.createServer`, or mount it with
 * `app.use`. It takes no writes from web pages of other origins, and without credentials only requests whose
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

/** A route for each operation that has a handler. */
function apiOf(
  handlers: Partial<Handlers>,
  streamChanges: ReturnType<typeof createChangeStreams> | undefined,
  { credentials, log = logErrors, signal = new AbortController().signal }: ApiOptions,
): RequestListener {
  const clock = createSystemClock();
  const askerOf = createCredentials(credentials);
  const endOf = createEndings(signal);

  const app = express();
  app.disable('x-powered-by').enable('case sensitive routing').enable('strict routing');

  app.use((request, response, next) => {
    const requestId = begin(response);
    const startedAt = clock.now();
    const { method, originalUrl } = request;
    const path = originalUrl.replace(/\?.*$/s, '');
    response.once('close', () => {
      const status = response.headersSent ? response.statusCode : 0;
      log({ kind: 'access', requestId, method, path, status, ms: clock.now() - startedAt });
    });
    guard(request, originalUrl, credentials ? 'any' : 'loopback');
    next();
  });

  for (const [path, names] of operationsByPath(handlers)) {
    const route = app.route(path.replace(/\{(\w+)\}/g, ':$1'));
    for (const name of names) {
      const method = contract[name].method.toLowerCase() as Lowercase<
        (typeof contract)[typeof name]['method']
      >;
      route[method](async (request: Request, response: Response) => {
        const asker = askerOf(name, request); // before anything of a body is read
        const all = handlers as Handlers; // only what it has is routed
        const answer = await perform(all, name, request, response, endOf, asker);
        if ('after' in answer) await streamChanges?.(response, answer, requestIdOf(response));
        else respond(request, response, answer);
      });
    }
    route.all((request: Request, response: Response) => refuseMethod(request, response, names));
  }

  app.use(() => {
    throw regError('not_found', 'there is nothing at this path: see docs/http-api.md');
  });

  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const answer = problemAnswer(error, requestIdOf(response), log);
    if (response.headersSent) response.destroy();
    else respond(request, response, answer);
  });
  return app;
}

/** @returns the name of this request: fresh, never the caller's, who could pass off one as another */
function begin(response: ServerResponse): string {
  const requestId = randomUUID();
  response.setHeader('X-Request-Id', requestId);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Cache-Control', 'no-cache');
  return requestId;
}

function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader('X-Request-Id'));
}

async function perform<Name extends OperationName>(
  handlers: Handlers,
  name: Name,
  request: IncomingMessage & { params: Readonly<Record<string, unknown>> },
  response: ServerResponse,
  endOf: (response: ServerResponse) => AbortSignal,
  asker: Asker,
): Promise<Answer | ChangesAnswer> {
  const input = await readInput(name, request.params, request, response);
  return await handlers[name](input, () => endOf(response), asker);
}

function operationsByPath(handlers: Partial<Handlers>): Map<string, OperationName[]> {
  const byPath = new Map<string, OperationName[]>();
  for (const name of Object.keys(handlers) as OperationName[]) {
    const { path } = contract[name];
    byPath.set(path, [...(byPath.get(path) ?? []), name]);
  }
  return byPath;
}

/** RFC 9110 §15.5.6: what is allowed is said. OPTIONS too is refused: nothing is offered to other origins. */
function refuseMethod(request: Request, response: Response, names: readonly OperationName[]): never {
  const methods = names.flatMap((name) =>
    contract[name].method === 'GET' ? ['GET', 'HEAD'] : contract[name].method,
  );
  response.setHeader('Allow', methods.join(', '));
  throw regError('method_not_allowed', `${request.method} is not allowed here: ${methods.join(', ')}`);
}
