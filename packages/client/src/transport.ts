// Requests to the registry. Why node:http and not fetch: its agent lets go of idle sockets, so a script
// that has nothing left to do ends at once, and `Connection: close` is ours to choose for a stream.
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import { type Operation, type OperationName, operationPath, operations } from '@reg/schema/operations';
import { isRegError, type Problem, problems, type RegError, regError } from '@reg/schema/problem';
import { shownAddress } from './addresses.ts';

const agents = { 'http:': new Agent({ keepAlive: true }), 'https:': new TlsAgent({ keepAlive: true }) };

/** A reply larger than this is none of ours: 100,000 instances take some 50 MB. */
const maxReplyBytes = 512 * 1024 * 1024;

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
  /** Meant for the registry that answered last, and for no other. @default false */
  readonly stays?: boolean | undefined;
}

export interface Transport {
  /** All of them, the one that answered last first. */
  addresses(): readonly [URL, ...URL[]];
  /** @throws the problem that the registry answered, or `registry_unavailable` where none did */
  call<Reply>(operation: OperationName, call: Call): Promise<Reply>;
  /** The same for an endless reply: resolves at its head; the caller reads or destroys it. */
  open(operation: OperationName, call: Call): Promise<IncomingMessage>;
}

/**
 * One for each list of addresses. It stays with the one that answered last, also when an earlier one comes
 * back: with its state in memory that one is empty, and whoever moved is known to this one.
 */
export function createTransport(addresses: readonly URL[]): Transport {
  let current = 0;

  /** Connection error, timeout and 503 move on to the next address; each is asked once. */
  async function ask<Reply>(request: Prepared, read: Read<Reply>): Promise<Reply> {
    let failure: unknown;
    const first = current;
    const most = request.stays ? 1 : addresses.length;
    for (let tried = 0; tried < most; tried++) {
      const index = (first + tried) % addresses.length;
      try {
        const reply = await exchange(addresses[index] as URL, request, read);
        current = index;
        return reply;
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!isRegError(error)) throw error;
        failure = error;
        if (error.status === 503) continue;
        current = index; // a refusal is an answer too
        break;
      }
    }
    throw failure;
  }

  return {
    addresses: () => [...addresses.slice(current), ...addresses.slice(0, current)] as [URL, ...URL[]],
    call: async (operation, call) => ask(prepare(operation, call, true), readJson) as Promise<never>,
    open: async (operation, call) => ask(prepare(operation, call, false), async (response) => response),
  };
}

/** What is sent, the same to each address. */
interface Prepared extends Pick<Call, 'timeoutMs' | 'signal' | 'background' | 'stays'> {
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
  const { method }: Operation = operations[operation];
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
