// The worker's side of last-word.ts. Built into a string (scripts/embed-worker.mjs), so it may import
// nothing but node's own. It says the last words while the main thread stands still and waits.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parentPort } from 'node:worker_threads';

interface Word {
  readonly addresses: readonly string[];
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Message {
  readonly words: readonly Word[];
  readonly done: Int32Array<SharedArrayBuffer>;
  readonly timeoutMs: number;
}

function unregister(address: string, { path, headers }: Word, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const base = new URL(address);
    const url = new URL(base.pathname.replace(/\/+$/, '') + path, base);
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(url, { method: 'DELETE', headers, agent: false, timeout: timeoutMs });
    request.on('response', ({ statusCode = 0 }) => resolve(statusCode !== 503));
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
    request.end();
  });
}

parentPort?.on('message', async ({ words, done, timeoutMs }: Message) => {
  await Promise.all(
    words.map(async (word) => {
      for (const address of word.addresses) if (await unregister(address, word, timeoutMs)) return;
    }),
  );
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
});
