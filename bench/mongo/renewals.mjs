// 10,000 leases of 10 s, renewed each third of it through two registries: how many commands that write the
// database gets, all of them together, as it counts them itself.
import { mongo } from 'mongoose';
import { startWorker } from './start-worker.mjs';

const leaseSeconds = 10;
const everyMs = (leaseSeconds * 1_000) / 3;
const writing = ['insert', 'update', 'delete', 'findAndModify', 'bulkWrite', 'aggregate'];

/** @returns {Promise<{ leases: number, renewalsPerSecond: number, writesPerSecond: number }>} */
export async function measureRenewals(mongod, { leases, seconds }) {
  const workers = [startWorker(), startWorker()];
  const client = new mongo.MongoClient(mongod.urlOf('admin'));
  const writes = async () => {
    const { metrics } = await client.db('admin').command({ serverStatus: 1 });
    return writing.reduce((sum, name) => sum + Number(metrics.commands[name]?.total ?? 0), 0);
  };
  try {
    const share = leases / workers.length;
    for (const [index, worker] of workers.entries()) {
      await worker.ask('open', { url: mongod.urlOf('renewals') });
      await worker.ask('registerAll', { first: index * share, count: share, lanes: 500, leaseSeconds });
    }
    await Promise.all(workers.map((worker) => worker.ask('renewFor', { everyMs, seconds: 1 })));
    const [before, began] = [await writes(), performance.now()];
    const renewed = await Promise.all(workers.map((worker) => worker.ask('renewFor', { everyMs, seconds })));
    const [after, tookMs] = [await writes(), performance.now() - began];
    return {
      leases,
      renewalsPerSecond: renewed.reduce((sum, { perSecond }) => sum + perSecond, 0),
      writesPerSecond: ((after - before) * 1_000) / tookMs,
    };
  } finally {
    await client.close();
    for (const worker of workers) await worker.stop();
  }
}
