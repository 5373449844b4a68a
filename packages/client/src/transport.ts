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

export interface Call {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** For the whole reply of one registry; of a stream, for its head. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The socket alone does not keep the process alive. @default false */
  readonly background?: boolean | undefined;
}

export interface Transport {
  /** @throws the problem that the registry answered, or `registry_unavailable` where none did */
  call<Reply>(operation: OperationName, call: Call): Promise<Reply>;
  /** The same for an endless reply: resolves at its head; the caller reads or destroys it. */
  open(operation: OperationName, call: Call): Promise<IncomingMessage>;
}

/** One for each list of addresses; it remembers which of them answered last. */
export function createTransport(addresses: readonly URL[]): Transport {
  let current = 0;

  /** Connection error, timeout and 503 move on to the next address; each is asked once. */
  async function ask<Reply>(
    operation: OperationName,
    call: Call,
    read: Read<Reply>,
    pooled: boolean,
  ): Promise<Reply> {
    let failure: unknown;
    for (let tried = 0; tried < addresses.length; tried++) {
      const address = addresses[current] as URL;
      try {
        return await exchange(address, operation, call, read, pooled);
      } catch (error) {
        call.signal?.throwIfAborted();
        if (!isRegError(error) || error.status !== 503) throw error;
        failure = error;
        current = (current + 1) % addresses.length;
      }
    }
    throw failure;
  }

  return {
    call: (operation, call) => ask(operation, call, readJson, true) as Promise<never>,
    open: (operation, call) => ask(operation, call, async (response) => response, false),
  };
}

type Read<Reply> = (response: IncomingMessage) => Promise<Reply>;

async function exchange<Reply>(
  address: URL,
  operation: OperationName,
  call: Call,
  read: Read<Reply>,
  pooled: boolean,
): Promise<Reply> {
  const where = shownAddress(address);
  try {
    return await attempt(
      address,
      operation,
      call,
      async (response) => {
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) return read(response);
        throw problemOf(status, await readJson(response).catch(() => undefined), where);
      },
      pooled,
    );
  } catch (error) {
    if (isRegError(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw regError('registry_unavailable', `${where} does not answer: ${code ?? message}`, { cause: error });
  }
}

function attempt<Reply>(
  address: URL,
  operation: OperationName,
  call: Call,
  read: Read<Reply>,
  pooled: boolean,
): Promise<Reply> {
  const { method }: Operation = operations[operation];
  const base = address.pathname.replace(/\/+$/, '');
  const url = new URL(base + operationPath(operation, call.path, call.query), address);
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method,
      agent: pooled && agents[url.protocol as keyof typeof agents],
      headers: {
        ...call.headers,
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
      },
      ...(call.signal && { signal: call.signal }),
    });
    const late = setTimeout(
      () => request.destroy(new Error(`nothing for ${call.timeoutMs} ms`)),
      call.timeoutMs,
    );
    const settle = (end: () => void) => {
      clearTimeout(late);
      end();
    };
    if (call.background) {
      late.unref();
      request.on('socket', (socket) => socket.unref());
    }
    request.on('response', (response) => {
      read(response).then(
        (reply) => settle(() => resolve(reply)),
        (error) => settle(() => reject(error)),
      );
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      // The registry closed an idle connection just as we used it (RFC 9112 §9.3.1). What we send may be
      // sent twice (a register names its run), so it goes again, over another connection.
      if (request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) {
        settle(() => attempt(address, operation, call, read, false).then(resolve, reject));
        return;
      }
      settle(() => reject(error));
    });
    request.end(body);
  });
}

async function readJson<Reply>(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
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
