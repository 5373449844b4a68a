// Requests to the registry. Why node:http and not fetch: its agent lets go of idle sockets, so a script
// that has nothing left to do ends at once, and `Connection: close` is ours to choose for a stream.
import { once } from 'node:events';
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { calls, type Call as OperationCall, type OperationName, operationPath } from '@reg/schema/calls';
import { isRegError, type Problem, problems, type RegError, regError } from '@reg/schema/problem';
import { shownAddress } from './addresses.ts';
import type { Bearer } from './token.ts';

const agents = { 'http:': new Agent({ keepAlive: true }), 'https:': new TlsAgent({ keepAlive: true }) };

/** A reply larger than this is none of ours: 100,000 instances take some 50 MB. */
const maxReplyBytes = 512 * 1024 * 1024;

/** How often one that follows a spare looks for the registries before it, and how long one may take to answer. */
const earlierEveryMs = 1_000;
const earlierMs = 3_000;

interface Call {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** How long one registry may be silent before its reply is whole; of a stream, before its head. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The socket alone does not keep the process alive. @default false */
  readonly background?: boolean | undefined;
  /** The registry that answered last is asked before the others, or alone. @default in the list's order */
  readonly lastAnswered?: 'first' | 'alone' | undefined;
}

export interface Transport {
  /** All of them, the one that answered last first. */
  addresses(): readonly [URL, ...URL[]];
  /**
   * Resolves when one answers that is before the one that answered last: the next request is its. Where none is
   * before it, or `signal` aborts, it does not.
   */
  untilEarlierAnswers(signal: AbortSignal): Promise<void>;
  /** @throws the problem that the registry answered, or `registry_unavailable` where none did */
  call<Reply>(operation: OperationName, call: Call): Promise<Reply>;
  /** The same for an endless reply: resolves at its head; the caller reads or destroys it. */
  open(operation: OperationName, call: Call): Promise<IncomingMessage>;
}

/** One that failed is asked last for so long: less than it takes until the next renewal of a usual lease. */
const avoidMs = 2_000;

/**
 * One for each list of addresses. The first that answers is asked, in the order of the list, so that clients and
 * gateways meet at one registry whatever each of them saw of the others (docs/decisions/0013-first-that-answers.md).
 */
export function createTransport(addresses: readonly URL[], bearer: Bearer): Transport {
  const avoidedUntil = new Map<number, number>();
  let answered = 0;

  function order(lastAnswered: Call['lastAnswered']): number[] {
    if (lastAnswered === 'alone') return [answered];
    const now = performance.now();
    const rank = (index: number) => {
      if (lastAnswered === 'first' && index === answered) return 0;
      return (avoidedUntil.get(index) ?? 0) <= now ? 1 : 2;
    };
    return [...addresses.keys()].sort((one, other) => rank(one) - rank(other));
  }

  /** Connection error, timeout and 503 move on to the next address; each is asked once. */
  async function ask<Reply>(request: Prepared, read: Read<Reply>): Promise<Reply> {
    let failure: unknown;
    for (const index of order(request.lastAnswered)) {
      try {
        const reply = await exchange(addresses[index] as URL, request, read);
        answered = index;
        return reply;
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!isRegError(error)) throw error;
        failure = error;
        if (error.status !== 503) {
          answered = index; // a refusal is an answer too
          break;
        }
        avoidedUntil.set(index, performance.now() + avoidMs);
      }
    }
    throw failure;
  }

  async function withToken(call: Call): Promise<Call> {
    const headers = { ...call.headers, ...(await bearer.headers(call.timeoutMs)) };
    call.signal?.throwIfAborted();
    return { ...call, headers };
  }

  return {
    addresses: () => [...addresses.slice(answered), ...addresses.slice(0, answered)] as [URL, ...URL[]],
    async untilEarlierAnswers(signal) {
      const request = prepare('health', { timeoutMs: earlierMs, signal, background: true }, true);
      const earlier = [...addresses.slice(0, answered).entries()];
      while (earlier.length > 0) {
        await sleep(earlierEveryMs, undefined, { signal, ref: false });
        for (const [index, address] of earlier) {
          const error = await exchange(address, request, readJson).catch((cause: unknown) => cause);
          signal.throwIfAborted();
          if (isRegError(error) && error.status === 503) continue;
          avoidedUntil.delete(index);
          return;
        }
      }
      await once(signal, 'abort'); // none is before it
      signal.throwIfAborted();
    },
    call: async (operation, call) =>
      ask(prepare(operation, await withToken(call), true), readJson) as Promise<never>,
    open: async (operation, call) =>
      ask(prepare(operation, await withToken(call), false), async (response) => response),
  };
}

/** What is sent, the same to each address. */
interface Prepared extends Pick<Call, 'timeoutMs' | 'signal' | 'background' | 'lastAnswered'> {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string | undefined;
  /** Over a connection that was used before. */
  readonly pooled: boolean;
}

/** @throws TypeError where the body cannot be JSON */
function prepare(
  operation: OperationName,
  { path, query, headers, body, ...call }: Call,
  pooled: boolean,
): Prepared {
  const { method }: OperationCall = calls[operation];
  const target = operationPath(operation, path, query);
  if (body === undefined)
    return { ...call, method, target, headers: { ...headers }, body: undefined, pooled };
  const text = JSON.stringify(body);
  const described = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return { ...call, method, target, headers: { ...headers, ...described }, body: text, pooled };
}

type Read<Reply> = (response: IncomingMessage, onBytes: () => void) => Promise<Reply>;

/** @throws the problem that was answered, or `registry_unavailable` */
async function exchange<Reply>(address: URL, request: Prepared, read: Read<Reply>): Promise<Reply> {
  const where = shownAddress(address);
  const readGood: Read<Reply> = async (response, onBytes) => {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return read(response, onBytes);
    throw problemOf(status, await readJson(response, onBytes).catch(() => undefined), where);
  };
  try {
    return await attempt(address, request, readGood);
  } catch (error) {
    if (isRegError(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw regError('registry_unavailable', `${where} does not answer: ${code ?? message}`, { cause: error });
  }
}

function attempt<Reply>(address: URL, prepared: Prepared, read: Read<Reply>): Promise<Reply> {
  const { method, target, headers, body, timeoutMs, signal, background, pooled } = prepared;
  const url = new URL(address.pathname.replace(/\/+$/, '') + target, address);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const agent = pooled && agents[url.protocol as keyof typeof agents];
  return new Promise((resolve, reject) => {
    const request = send(url, { method, agent, headers, ...(signal && { signal }) });
    const late = setTimeout(() => request.destroy(new Error(`nothing for ${timeoutMs} ms`)), timeoutMs);
    const settle = (end: () => void) => {
      clearTimeout(late);
      end();
    };
    if (background) {
      late.unref();
      request.on('socket', (socket) => socket.unref());
    }
    request.on('response', (response) => {
      read(response, () => late.refresh()).then(
        (reply) => settle(() => resolve(reply)),
        (error) => settle(() => reject(error)),
      );
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      // The registry closed an idle connection just as we used it (RFC 9112 §9.3.1). What we send may be
      // sent twice (a register names its run), so it goes again, over another connection.
      if (request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) {
        settle(() => attempt(address, { ...prepared, pooled: false }, read).then(resolve, reject));
        return;
      }
      settle(() => reject(error));
    });
    request.end(body);
  });
}

async function readJson<Reply>(response: IncomingMessage, onBytes: () => void): Promise<Reply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    onBytes();
    bytes += (chunk as Buffer).length;
    if (bytes > maxReplyBytes) throw new Error('its reply has no end');
    chunks.push(chunk as Buffer);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** What is no problem of ours (a proxy's page, another program's 404) says that no registry is there now. */
function problemOf(status: number, body: unknown, where: string): RegError {
  const { code, detail = '', errors } = (body ?? {}) as Partial<Problem>;
  if (code !== undefined && Object.hasOwn(problems, code)) return regError(code, detail, { errors });
  return regError('registry_unavailable', `${where} answered ${status}, and not as a registry does`);
}
