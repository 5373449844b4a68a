// Connects, and that is all.
import { connect } from 'node:net';
import type { Check } from '@reg/schema';
import { failed, passed, tookTooLong, type Verdict } from './verdict.ts';

type TcpCheck = Extract<Check, { type: 'tcp' }>;

const defaultPorts: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'amqp:': 5672,
  'amqps:': 5671,
};

/** @param endpoint of the instance. Never rejects */
export function checkTcp(
  check: TcpCheck,
  endpoint: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const url = new URL(endpoint);
  const port = check.port ?? (Number(url.port) || (defaultPorts[url.protocol] ?? 0));
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port });
    const settle = (verdict: Verdict) => {
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(tookTooLong(verdict, performance.now() - startedAt, check.warnAfterMs));
    };
    const late = setTimeout(
      () => settle(failed(`port ${port}: no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const stop = () => settle(failed('given up'));
    signal.addEventListener('abort', stop);
    socket.on('connect', () => settle(passed(`port ${port} answers`)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      settle(failed(`port ${port}: ${error.code ?? error.message}`)),
    );
  });
}
