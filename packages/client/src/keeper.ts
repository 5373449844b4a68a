// A thread of its own that keeps the leases of this process, so that a busy event loop is not a dead
// service, and unregisters when the process is about to be gone: then the main thread can wait for nothing
// any more but a lock.
import { Worker } from 'node:worker_threads';
import { type ProblemCode, regError } from '@reg/schema/problem';
import type { Step } from './keep-lease.ts';
import { workerSource } from './keeper.generated.ts';
import { createLoopReader, type LoopCells, startLoopMeter } from './loop-meter.ts';
import { type Handover, type HeldLease, renewWhileHeld, type Tell } from './renewals.ts';
import type { Transport } from './transport.ts';

/** One request, which unregisters: the first of the addresses that answers takes it. The one that knows us comes first. */
export interface LastWord extends Pick<HeldLease, 'addresses' | 'path' | 'headers'> {
  readonly runId: string;
}

export type ToKeeper =
  | { readonly do: 'keep'; readonly id: number; readonly lease: HeldLease }
  | { readonly do: 'let-go'; readonly id: number }
  | {
      readonly do: 'speak';
      readonly words: readonly LastWord[];
      readonly done: Int32Array<SharedArrayBuffer>;
      readonly limitMs: number;
    };

/** An error keeps no code on its way from another thread, so it comes in parts. */
export type FromKeeper =
  | { readonly do: 'tell'; readonly id: number; readonly trouble: string | undefined }
  | {
      readonly do: 'hand-over';
      readonly id: number;
      readonly step: Step;
      readonly failures: number;
      readonly code: ProblemCode;
      readonly message: string;
    };

export interface Keeper {
  /** False where node may start no thread (its permission model): a busy loop may lose its leases. */
  readonly hasThread: boolean;
  /** Renews while that is enough. @param transport of this thread, where there is no other @throws when `signal` aborts */
  keep(lease: HeldLease, transport: Transport, signal: AbortSignal, tell: Tell): Promise<Handover>;
  /** Returns when every word was taken, or `limitMs` is over. Blocks this thread, and nothing is kept any more. */
  speak(words: readonly LastWord[], limitMs: number): void;
  stop(): void;
}

interface Kept {
  readonly tell: Tell;
  readonly handOver: (handover: Handover) => void;
  readonly goOnHere: () => void;
}

/** Started beforehand: starting a thread takes longer than a last word, and most where there is no time. */
export function createKeeper(): Keeper {
  const meter = startLoopMeter();
  const kept = new Map<number, Kept>();
  let lastId = 0;
  let worker = startWorker(meter.cells);
  const post = (message: ToKeeper) => worker?.postMessage(message);

  worker?.on('message', (message: FromKeeper) => {
    const one = kept.get(message.id); // none: let go of just now
    if (message.do === 'tell') return one?.tell(message.trouble);
    const { step, failures, code } = message;
    one?.handOver({ step, failures, error: regError(code, message.message) });
  });
  worker?.on('error', () => undefined); // it is gone; `exit` follows
  worker?.on('exit', () => {
    worker = undefined;
    for (const one of kept.values()) one.goOnHere();
  });
  worker?.unref(); // last: whoever listens for messages refers to it again

  async function keepThere(lease: HeldLease, signal: AbortSignal, tell: Tell): Promise<Handover | undefined> {
    lastId += 1;
    const id = lastId;
    const ended = new AbortController();
    try {
      return await new Promise((resolve, reject) => {
        const letGo = () => {
          post({ do: 'let-go', id });
          reject(signal.reason);
        };
        signal.addEventListener('abort', letGo, { signal: ended.signal });
        kept.set(id, { tell, handOver: resolve, goOnHere: () => resolve(undefined) });
        post({ do: 'keep', id, lease });
      });
    } finally {
      ended.abort();
      kept.delete(id);
    }
  }

  return {
    hasThread: worker !== undefined,
    async keep(lease, transport, signal, tell) {
      signal.throwIfAborted();
      const handover = worker && (await keepThere(lease, signal, tell));
      return handover ?? renewWhileHeld(lease, transport, createLoopReader(meter.cells), signal, tell);
    },
    speak(words, limitMs) {
      if (!worker) return;
      kept.clear();
      const done = new Int32Array(new SharedArrayBuffer(4));
      post({ do: 'speak', words, done, limitMs });
      Atomics.wait(done, 0, 0, limitMs);
    },
    stop() {
      meter.stop();
      kept.clear(); // whoever still waits is told nothing: the process ends
      void worker?.terminate();
    },
  };
}

function startWorker(workerData: LoopCells): Worker | undefined {
  try {
    // execArgv and env: neither our user's loaders (`--import tsx`) nor NODE_OPTIONS are run once more. What
    // node asks for when it connects must be the same in both threads.
    const { NODE_TLS_REJECT_UNAUTHORIZED } = process.env;
    const env = NODE_TLS_REJECT_UNAUTHORIZED === undefined ? {} : { NODE_TLS_REJECT_UNAUTHORIZED };
    const isolated = { eval: true, execArgv: [], env, name: 'reg-keeper' };
    return new Worker(workerSource, { ...isolated, workerData });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') return undefined;
    throw error;
  }
}
