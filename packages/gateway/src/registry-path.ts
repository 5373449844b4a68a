// The registry behind the gateway: one fixed route to its API, before all that the registry itself lists. The
// caller's Authorization goes through as it came and is not looked at here: whose it must be is the registry's
// to say, and a token for services is none for it.
import { publicPath } from '@reg/schema';
import { isRegError } from '@reg/schema/problem';
import { EndableBody } from './endable-body.ts';
import type { Accepted, Exchange } from './exchange.ts';
import { headerValues } from './headers/raw-headers.ts';
import { compileRoute, type Route } from './routes/route.ts';
import { authorize } from './stages/authorize.ts';
import { type ForwardOptions, forward, openTunnel } from './stages/forward.ts';
import { isRefusal, type Refusal, refuse } from './stages/refusal.ts';
import type { Answer, Failure } from './upstreams/attempt.ts';
import type { ConnectionPools } from './upstreams/connection-pools.ts';
import { mayRetry } from './upstreams/may-retry.ts';
import { RequestBody } from './upstreams/request-body.ts';
import { createUpstream } from './upstreams/upstream.ts';

export interface RegistryPathOptions {
  /** `/registry`: plain characters, not `/` nor below `/_reg`. No service is seen at it or below. */
  readonly path: string;
  /**
   * Asked with each request: where the registry is that the catalog comes from. Of several always that one,
   * since what is registered at another would not be seen here.
   */
  readonly address: () => string;
  /**
   * Shown to the registry, so that our word on the client's address counts: its operator's token, or what it knows a
   * gateway of the same process by. @default none: the registry's history has our own address
   */
  readonly proof?: string | undefined;
}

export interface RegistryPath {
  /** @param target of a request, with its query */
  has(target: string): boolean;
  ask(accepted: Accepted, exchange: Exchange): Promise<Answer | Refusal>;
  /** Ends streams, and reads that wait: they would hold up the gateway's end. A write is answered still. */
  close(): void;
}

/** More than a caller may ask the registry to wait (60 s). */
const answerWithinMs = 70_000;

/** @throws Error for a path that would not do */
export function parseRegistryPath(text: string): string {
  const { success } = publicPath.safeParse(text);
  if (success && text !== '/' && !text.includes('%') && !/^\/_reg(\/|$)/.test(text)) return text;
  throw new Error(`${text} is no path for the registry: it needs one of plain characters, like /registry`);
}

/** @throws Error for a path that would not do */
export function createRegistryPath(
  { path: text, address, proof }: RegistryPathOptions,
  pools: ConnectionPools,
  now: () => number,
): RegistryPath {
  const path = parseRegistryPath(text);
  const below = `${path}/`;
  const definition = { name: 'registry', url: path, authorizedRoles: [], access: 'public' as const };
  const routes = new Map<string, Route>();
  /** How each read under way is ended. */
  const reads = new Set<() => void>();
  let closed = false;

  /** Routes are kept: there are as many as addresses in the list. */
  function routeTo(url: string): Route {
    const known = routes.get(url);
    if (known) return known;
    const instance = { instanceId: new URL(url).host, generation: 0, state: 'up', lease: 'none' } as const;
    const endpoints = [{ type: 'http' as const, url }];
    const upstream = createUpstream({ ...instance, endpoints, registeredAt: 0 }, undefined, pools);
    const route = compileRoute(definition, [upstream], { next: 0 });
    routes.set(url, route);
    return route;
  }

  /** What a client says in these two fields never comes here: `X-Reg-*` is ours. */
  function proven(client: string): readonly string[] {
    if (proof === undefined || client === '') return [];
    const shown = Buffer.from(proof, 'utf8').toString('latin1');
    return ['X-Reg-Client-Address', client, 'X-Reg-Gateway-Proof', shown];
  }

  async function attempt(options: ForwardOptions, isRead: boolean): Promise<Answer | Failure> {
    const { request, response } = options.exchange;
    const trial = request.isUpgrade ? openTunnel(options) : forward(options);
    const cancel = () => trial.cancel();
    if (isRead) reads.add(cancel);
    response.listener = { drained: () => undefined, gone: cancel };
    if (response.gone) cancel();
    const result = await trial.result;
    reads.delete(cancel);
    return result.kind === 'answer' && isEndless(result) ? endable(result) : result;
  }

  function endable(answer: Answer): Answer {
    const end = () => body.endNow();
    const body = new EndableBody(answer.body, () => reads.delete(end));
    if (closed) end();
    else reads.add(end);
    return { ...answer, body };
  }

  return {
    has: (target) => target === path || target.startsWith(below) || target.startsWith(`${path}?`),
    async ask(accepted, exchange) {
      const { request, response, startedAt } = exchange;
      const { method } = request;
      const isRead = method === 'GET' || method === 'HEAD';
      const route = routeTo(address());
      exchange.route = route;
      exchange.upstream = route.upstreams[0];
      const [target] = exchange.upstream?.targets ?? [];
      const grant = authorize(undefined, definition);
      if (isRefusal(grant)) return grant;
      const body = accepted.payload && new RequestBody(accepted.payload);
      const added = proven(exchange.client.address);
      for (let fresh = false; target && !(closed && isRead); fresh = true) {
        exchange.attempts++;
        const result = await attempt(
          { exchange, accepted, body, grant, target, fresh, timeoutMs: answerWithinMs, added },
          isRead,
        );
        if (result.kind === 'answer') return result;
        if (isRegError(result.cause)) throw result.cause; // the request's own fault, its body's
        const { reached, timedOut, reused } = result;
        const replayable = accepted.payload === undefined;
        const { attempts } = exchange;
        const clientGone = response.gone;
        const deadlineAt = startedAt + answerWithinMs;
        const asked = { reached, timedOut, method, replayable, attempts, clientGone, deadlineAt, now: now() };
        if (!reused || !mayRetry(asked)) break; // a used connection may close just when it is used again
      }
      return refuse('registry_unavailable', 'the registry did not answer', ['Retry-After', '1']);
    },
    close() {
      closed = true;
      for (const end of reads) end();
    },
  };
}

/** Server-Sent Events: a stream of changes. */
function isEndless({ headers }: Answer): boolean {
  return headerValues(headers, 'content-type').some((type) => /^text\/event-stream\b/i.test(type));
}
