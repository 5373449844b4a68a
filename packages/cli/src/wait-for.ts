// `--wait-for`: until something answers at an address, or the process that should cannot any more.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { regError } from '@reg/schema/problem';
import { InvalidArgumentError } from 'commander';

export type WaitTarget =
  | { readonly kind: 'http'; readonly text: string; readonly url: string }
  | { readonly kind: 'tcp'; readonly text: string; readonly host: string; readonly port: number };

export interface WaitOptions {
  /** @default no limit */
  readonly limitMs?: number | undefined;
  /** Who should answer: when that process has ended, nobody will. */
  readonly pid?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const everyMs = 100;
/** One try; a health check that takes longer passes for no answer. */
const tryMs = 5_000;

/** A URL, or `host:port`; an IPv6 address in brackets. */
export function waitTargetOf(text: string): WaitTarget {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return { kind: 'http', text, url: text };
  const [, address, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = address ?? name;
  const port = Number(digits);
  if (host !== undefined && port >= 1 && port <= 65_535) return { kind: 'tcp', text, host, port };
  throw new InvalidArgumentError('It must be a URL or host:port, like 127.0.0.1:3001.');
}

/**
 * Resolves once it answers: a URL with a status below 400, an address by taking a connection.
 * @throws `not_ready` at the limit or when the process has ended, the reason of `signal`
 */
export async function waitFor(target: WaitTarget, options: WaitOptions): Promise<void> {
  const { limitMs = Number.POSITIVE_INFINITY, pid, signal } = options;
  const end = performance.now() + limitMs;
  for (;;) {
    const leftMs = end - performance.now();
    const failure = await failureOf(target, Math.max(1, Math.min(tryMs, leftMs)));
    signal?.throwIfAborted();
    if (failure === undefined) return;
    if (pid !== undefined && !isRunning(pid)) {
      throw regError('not_ready', `process ${pid} ended before anything answered at ${target.text}`);
    }
    if (performance.now() >= end) {
      throw regError('not_ready', `nothing good at ${target.text} for ${limitMs / 1_000} s: ${failure}`);
    }
    await sleep(everyMs);
  }
}

/** One try. @returns why it is no answer; undefined where it is one */
export async function failureOf(target: WaitTarget, withinMs: number): Promise<string | undefined> {
  const signal = AbortSignal.timeout(Math.ceil(withinMs));
  try {
    if (target.kind === 'tcp') return await tryAddress(target.host, target.port, signal);
    const response = await fetch(target.url, { redirect: 'manual', signal });
    await response.body?.cancel();
    return response.status < 400 ? undefined : `it answers ${response.status}`;
  } catch (error) {
    const { cause = error } = error as { cause?: unknown };
    return (cause as NodeJS.ErrnoException).code ?? String(cause);
  }
}

async function tryAddress(host: string, port: number, signal: AbortSignal): Promise<undefined> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal });
  } finally {
    socket.on('error', () => undefined); // what comes after the answer is none of ours
    socket.destroy();
  }
}

/** Another user's process counts too: EPERM says that it is there. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
