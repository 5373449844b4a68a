// The worker's side of last-word.ts. Built into a string (scripts/embed-worker.mjs), so it may import
// nothing but node's own. It says the last words while the main thread stands still and waits.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parentPort } from 'node:worker_threads';

interface Message {
  readonly words: readonly { readonly addresses: readonly string[]; readonly path: string }[];
  readonly done: Int32Array<SharedArrayBuffer>;
  readonly timeoutMs: number;
}

function unregister(address: string, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const base = new URL(address);
    const url = new URL(base.pathname.replace(/\/+$/, '') + path, base);
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(url, { method: 'DELETE', agent: false, timeout: timeoutMs });
    request.on('response', ({ statusCode = 0 }) => resolve(statusCode !== 503));
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
    request.end();
  });
}

parentPort?.on('message', async ({ words, done, timeoutMs }: Message) => {
  await Promise.all(
    words.map(async ({ addresses, path }) => {
      const shareMs = timeoutMs / addresses.length; // one that hangs must leave time for the next
      for (const address of addresses) if (await unregister(address, path, shareMs)) return;
    }),
  );
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
});
