// The keeper's side of keeper.ts. Built into a string with all that it imports (scripts/embed-worker.mjs).
// It renews while the main thread works, and says the last words while that one stands still and waits.
import { parentPort, workerData } from 'node:worker_threads';
import type { FromKeeper, ToKeeper } from './keeper.ts';
import { createLoopReader, type LoopCells } from './loop-meter.ts';
import { renewWhileHeld } from './renewals.ts';
import { createBearer } from './token.ts';
import { createTransport, type Transport } from './transport.ts';

const transports = new Map<string, Transport>();
const kept = new Map<number, AbortController>();

/** One for each list of addresses. */
function transportTo(addresses: readonly string[]): Transport {
  const known = transports.get(addresses.join());
  const transport =
    known ??
    createTransport(
      addresses.map((address) => new URL(address)),
      createBearer(''), // each call brings its own headers
    );
  transports.set(addresses.join(), transport);
  return transport;
}

function tellMain(message: FromKeeper): void {
  parentPort?.postMessage(message);
}

async function keep({ id, lease }: Extract<ToKeeper, { do: 'keep' }>): Promise<void> {
  const stopping = new AbortController();
  kept.set(id, stopping);
  const loop = createLoopReader(workerData as LoopCells);
  try {
    const { step, error, failures } = await renewWhileHeld(
      lease,
      transportTo(lease.addresses),
      loop,
      stopping.signal,
      (trouble) => tellMain({ do: 'tell', id, trouble }),
    );
    const { code, message } = error;
    tellMain({ do: 'hand-over', id, step, failures, code, message });
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    kept.delete(id);
  }
}

async function speak({ words, done, limitMs }: Extract<ToKeeper, { do: 'speak' }>): Promise<void> {
  for (const stopping of kept.values()) stopping.abort();
  const spoken = words.map(({ addresses, path, headers, runId }) => {
    const timeoutMs = limitMs / addresses.length; // one that hangs must leave time for the next
    return transportTo(addresses).call('unregister', { path, query: { runId }, headers, timeoutMs });
  });
  // A refusal is an answer too, and nobody is left to be told of a fault.
  await Promise.allSettled(spoken);
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
}

// Node's own warnings: the main thread says them already, or was told not to.
process.removeAllListeners('warning');

parentPort?.on('message', (message: ToKeeper) => {
  if (message.do === 'keep') void keep(message);
  else if (message.do === 'speak') void speak(message);
  else kept.get(message.id)?.abort();
});
