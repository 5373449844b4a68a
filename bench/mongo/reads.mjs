// What never touches the database: lookups at the registry, requests through the gateway in its process; beside
// the same with the store in memory.
import { startUpstream } from '../gateways/start.mjs';
import { cpuMicros } from '../support/cpu.mjs';
import { median } from '../support/report.mjs';
import { rotated } from '../support/rotated.mjs';
import { wrk } from '../support/wrk.mjs';
import { startWorker } from './start-worker.mjs';

/** @returns {Promise<{ name: string, mongo: Figures, memory: Figures, ratio: number }[]>} `ratio`: of processor time */
export async function measureReads(mongod, { rounds, seconds }) {
  const upstream = await startUpstream();
  const workers = { mongo: startWorker(), memory: startWorker() };
  try {
    const cases = [];
    for (const [store, worker] of Object.entries(workers)) {
      const { registry } = await worker.ask('open', store === 'mongo' ? { url: mongod.urlOf('reads') } : {});
      await worker.ask('registerAll', { first: 0, count: 100, lanes: 10 });
      await worker.ask('registerUpstream', { upstream: upstream.url });
      const gateway = await worker.ask('openGateway');
      cases.push({ name: 'lookups', store, worker, url: `${registry}/v1/services/service-0` });
      cases.push({ name: 'dispatch', store, worker, url: `${gateway}/open/1024` });
    }
    const measured = { lookups: { mongo: [], memory: [] }, dispatch: { mongo: [], memory: [] } };
    for (let round = 0; round <= rounds; round++) {
      for (const { name, store, worker, url } of rotated(cases, round)) {
        const load = { url, connections: 64, seconds, method: 'GET', bodyBytes: 0, headers: {} };
        const before = cpuMicros(worker.pid);
        const { requests, microseconds } = await wrk(load);
        const cpu = (cpuMicros(worker.pid) - before) / requests;
        if (round > 0) measured[name][store].push({ perSecond: (requests * 1_000_000) / microseconds, cpu });
      }
    }
    return Object.entries(measured).map(([name, { mongo, memory }]) => ({
      name,
      mongo: figures(mongo),
      memory: figures(memory),
      ratio: median(mongo.map(({ cpu }, round) => memory[round].cpu / cpu)),
    }));
  } finally {
    for (const worker of Object.values(workers)) await worker.stop();
    await upstream.stop();
  }
}

/** @typedef {{ perSecond: number, cpuMicros: number }} Figures */
function figures(rounds) {
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMicros: median(rounds.map(({ cpu }) => cpu)),
  };
}
