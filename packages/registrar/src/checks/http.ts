// Asks over HTTP. A connection for each check: one that is kept would not see that nobody accepts any more.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type Check, policyDefaults } from '@reg/schema';
import { failed, passed, tookTooLong, type Verdict } from './verdict.ts';

type HttpCheck = Extract<Check, { type: 'http' }>;

/** What is read of an answer. */
const maxBodyBytes = 64 * 1024;

/** @param endpoint of the instance: its scheme, host and port count, and the path is the check's. Never rejects */
export function checkHttp(
  check: HttpCheck,
  endpoint: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const {
    method = policyDefaults.http.method,
    path = policyDefaults.http.path,
    headers,
    expect = {},
  } = check;
  const url = new URL(endpoint);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let settled = false;
    const settle = (verdict: Verdict) => {
      if (settled) return;
      settled = true;
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
      request.destroy();
      resolve(tookTooLong(verdict, performance.now() - startedAt, check.warnAfterMs));
    };
    const request = send({
      method,
      path,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || undefined,
      agent: false,
      headers: { 'user-agent': 'reg-registrar', ...headers },
    });
    const late = setTimeout(
      () => settle(failed(`${method} ${path}: no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const stop = () => settle(failed('given up'));
    signal.addEventListener('abort', stop);
    request.on('error', (error: NodeJS.ErrnoException) =>
      settle(failed(`${method} ${path}: ${error.code ?? error.message}`)),
    );
    request.on('response', (response) => {
      const { statusCode = 0 } = response;
      const said = `${method} ${path}: ${statusCode}`;
      if (!(expect.status?.includes(statusCode) ?? (statusCode >= 200 && statusCode <= 299)))
        return settle(failed(said));
      if (expect.body === undefined) return settle(passed(said));
      const wanted = expect.body;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const judge = () => {
        const holds = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString().includes(wanted);
        settle(holds ? passed(said) : failed(`${said}, without the body that is expected`));
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes >= maxBodyBytes) judge();
      });
      response.on('end', judge);
      response.on('error', (error) => settle(failed(`${said}, and then ${error.message}`)));
    });
    request.end();
  });
}
