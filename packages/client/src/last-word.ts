// Unregistering when the process is about to be gone. The main thread can wait for nothing any more but
// a lock, so a worker sends the request meanwhile.
import { Worker } from 'node:worker_threads';
import { workerSource } from './last-word.generated.ts';

/** One request: the first of the addresses that answers takes it. The one that knows us comes first. */
export interface LastWord {
  readonly addresses: readonly string[];
  readonly path: string;
}

export interface Speaker {
  /** Returns when every word was taken, or `limitMs` is over. Blocks this thread. */
  say(words: readonly LastWord[], limitMs: number): void;
  stop(): void;
}

/**
 * Started beforehand: starting a thread takes longer than the request, and most where there is no time.
 * Where node may start no thread (its permission model), nothing is said, and the lease ends what is listed.
 */
export function createSpeaker(): Speaker {
  let worker = startWorker();
  worker?.on('error', () => undefined); // it is gone; `exit` follows
  worker?.on('exit', () => {
    worker = undefined;
  });
  return {
    say(words, limitMs) {
      if (!worker) return;
      const done = new Int32Array(new SharedArrayBuffer(4));
      worker.postMessage({ words, done, timeoutMs: limitMs });
      Atomics.wait(done, 0, 0, limitMs);
    },
    stop: () => void worker?.terminate(),
  };
}

function startWorker(): Worker | undefined {
  try {
    // execArgv and env: neither our user's loaders (`--import tsx`) nor NODE_OPTIONS are run once more.
    const worker = new Worker(workerSource, { eval: true, execArgv: [], env: {}, name: 'reg-last-word' });
    worker.unref();
    return worker;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') return undefined;
    throw error;
  }
}
