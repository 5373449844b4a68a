// Many instances: until a registry that starts knows all of them, and what memory it holds them in, beside one
// whose store is memory itself.
import { startWorker } from './start-worker.mjs';

/** @returns {Promise<{ instances: number, readyMs: number, mongoBytes: number, memoryBytes: number }>} */
export async function measureMany(mongod, { instances }) {
  const url = mongod.urlOf('many');
  const all = { first: 0, count: instances, lanes: 1_000 };
  await withWorker(async (worker) => {
    await worker.ask('open', { url });
    await worker.ask('registerAll', all);
  });
  const started = await withWorker(async (worker) => {
    const { readyMs, instances: known } = await worker.ask('open', { url });
    if (known !== instances) throw new Error(`${known} of ${instances} instances are known`);
    return { readyMs, ...(await worker.ask('memory')) };
  });
  const inMemory = await withWorker(async (worker) => {
    await worker.ask('open', {});
    await worker.ask('registerAll', all);
    return worker.ask('memory');
  });
  return {
    instances,
    readyMs: started.readyMs,
    mongoBytes: started.rssBytes,
    memoryBytes: inMemory.rssBytes,
    mongoHeapBytes: started.heapBytes,
    memoryHeapBytes: inMemory.heapBytes,
  };
}

async function withWorker(work) {
  const worker = startWorker();
  try {
    return await work(worker);
  } finally {
    await worker.stop();
  }
}
