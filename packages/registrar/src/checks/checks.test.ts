// Each check against the real other side.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../../tests/support/free-port.ts';
import { checkCommand } from './command.ts';
import { checkHttp } from './http.ts';
import { checkTcp } from './tcp.ts';

const never = new AbortController().signal;

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tickets`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('http: method, path and headers go out; status and body are judged', async () => {
  await using app = await serve((request, response) => {
    const { method, url, headers } = request;
    response.writeHead(url === '/gone' ? 404 : 200).end(`${method} ${url} ${headers['x-probe']} is fine`);
  });
  const check = (more: object) => checkHttp({ type: 'http', ...more }, app.url, 2_000, never);
  expect(await check({})).toEqual({ outcome: 'passed', because: 'GET /health: 200' });
  expect(await check({ path: '/gone' })).toEqual({ outcome: 'failed', because: 'GET /gone: 404' });
  expect(await check({ path: '/gone', expect: { status: [404] } })).toMatchObject({ outcome: 'passed' });
  const asked = { method: 'POST', path: '/ask?x=1', headers: { 'x-probe': 'yes' } };
  expect(await check({ ...asked, expect: { body: 'POST /ask?x=1 yes' } })).toMatchObject({
    outcome: 'passed',
  });
  expect(await check({ ...asked, expect: { body: 'something else' } })).toMatchObject({ outcome: 'failed' });
});

test('http: an answer that is late is a warning, none at all a failure', async () => {
  await using app = await serve((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end(), 60);
  });
  const slow = { type: 'http', path: '/slow', warnAfterMs: 20 } as const;
  expect(await checkHttp(slow, app.url, 5_000, never)).toMatchObject({ outcome: 'warned' });
  expect(await checkHttp({ type: 'http', path: '/never' }, app.url, 100, never)).toEqual({
    outcome: 'failed',
    because: 'GET /never: no answer within 100 ms',
  });
});

test('http: a body without end is read as far as it is of use', async () => {
  await using app = await serve((_request, response) => {
    const more = () => {
      if (response.writableEnded || response.destroyed) return;
      response.write('x'.repeat(16_384), more);
    };
    more();
  });
  const check = { type: 'http', expect: { body: 'needle' } } as const;
  expect(await checkHttp(check, app.url, 5_000, never)).toMatchObject({ outcome: 'failed' });
});

test('nobody there: the reason is the system’s', async () => {
  const url = `http://127.0.0.1:${await freePort()}/`;
  expect((await checkHttp({ type: 'http' }, url, 2_000, never)).because).toContain('ECONNREFUSED');
  expect((await checkTcp({ type: 'tcp' }, url, 2_000, never)).because).toContain('ECONNREFUSED');
});

test('tcp: who accepts passes', async () => {
  await using app = await serve(() => undefined);
  expect(await checkTcp({ type: 'tcp' }, app.url, 2_000, never)).toMatchObject({ outcome: 'passed' });
});

test('command: 0 passes, 1 warns, anything else fails, and what it prints is told', async () => {
  const run = (script: string, timeoutMs = 5_000) =>
    checkCommand(['sh', '-c', script], { REG_INSTANCE: 'one' }, timeoutMs, never);
  expect(await run('exit 0')).toMatchObject({ outcome: 'passed' });
  expect(await run('echo nearly full; exit 1')).toEqual({
    outcome: 'warned',
    because: 'sh: exit code 1: nearly full',
  });
  expect(await run('echo "$REG_INSTANCE"; exit 2')).toMatchObject({
    outcome: 'failed',
    because: 'sh: exit code 2: one',
  });
  expect(await run('kill -9 $$')).toMatchObject({ outcome: 'failed', because: 'sh: ended by SIGKILL' });
  expect(await checkCommand(['/no/such/program'], {}, 1_000, never)).toMatchObject({
    outcome: 'failed',
    because: '/no/such/program: /no/such/program: ENOENT',
  });
});

test('command: at its limit it is ended with all that it started, and it gets none of our secrets', async () => {
  const hanging = await checkCommand(['sh', '-c', 'sleep 1000 & echo $!; wait'], {}, 300, never);
  expect(hanging.because).toMatch(/not done within 300 ms: \d+$/);
  const pid = Number(/\d+$/.exec(hanging.because)?.[0]);
  await expect.poll(() => isRunning(pid)).toBe(false);

  process.env.REG_REGISTRY_TOKEN = 'a secret';
  const told = await checkCommand(['sh', '-c', 'env; exit 3'], {}, 5_000, never);
  delete process.env.REG_REGISTRY_TOKEN;
  expect(told.because).not.toContain('a secret');
});

/** One that has ended and is not reaped yet runs no more. */
function isRunning(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return stat !== '' && !stat.includes(') Z ');
}
