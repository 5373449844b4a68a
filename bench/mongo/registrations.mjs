// Registrations a second, 64 at a time, beside a loop of upserts over the same database: through the registry's
// own function, and through its HTTP API, which in memory too takes most of the time of a registration.
import { fileURLToPath } from 'node:url';
import { cpuMicros } from '../support/cpu.mjs';
import { median } from '../support/report.mjs';
import { rotated } from '../support/rotated.mjs';
import { wrkScript } from '../support/wrk.mjs';
import { startWorker } from './start-worker.mjs';

const lanes = 64;
const script = fileURLToPath(new URL('register.lua', import.meta.url));

/** @returns {Promise<{ name: string, perSecond: number, cpuMicros: number, ofBare: number }[]>} */
export async function measureRegistrations(mongod, { rounds, seconds }) {
  const workers = [];
  const start = async () => {
    const worker = startWorker();
    workers.push(worker);
    return worker;
  };
  try {
    const cases = [
      bareLoop(await start(), mongod.urlOf('bare'), seconds),
      await inProcess('registry in MongoDB', await start(), mongod.urlOf('in-process'), seconds),
      await overHttp('its HTTP API', await start(), mongod.urlOf('http'), seconds),
      await overHttp('HTTP API in memory', await start(), undefined, seconds),
    ];
    const measured = new Map(cases.map(({ name }) => [name, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const { name, run } of rotated(cases, round)) {
        const result = await run(round);
        if (round > 0) measured.get(name).push(result); // the first one warms up
      }
    }
    const [bare] = measured.values();
    return [...measured].map(([name, results]) => ({
      name,
      perSecond: median(results.map(({ perSecond }) => perSecond)),
      cpuMicros: median(results.map(({ cpu, count }) => cpu / count)),
      ofBare: median(results.map(({ perSecond }, round) => perSecond / bare[round].perSecond)),
    }));
  } finally {
    for (const worker of workers) await worker.stop();
  }
}

function bareLoop(worker, url, seconds) {
  return {
    name: 'bare loop of upserts',
    run: (round) => withCpu(worker, () => worker.ask('upsertFor', { url, lanes, seconds, run: round })),
  };
}

async function inProcess(name, worker, url, seconds) {
  await worker.ask('open', { url });
  let first = 0;
  return {
    name,
    async run() {
      const result = await withCpu(worker, () => worker.ask('registerFor', { first, lanes, seconds }));
      first += result.count;
      return result;
    },
  };
}

async function overHttp(name, worker, databaseUrl, seconds) {
  const { registry: url } = await worker.ask('open', { url: databaseUrl });
  let first = 0;
  return {
    name,
    async run() {
      const load = { script, args: [String(first)], url, connections: lanes, seconds };
      const result = await withCpu(worker, async () => {
        const { requests, microseconds } = await wrkScript(load);
        return { count: requests, perSecond: (requests * 1_000_000) / microseconds };
      });
      first += result.count + lanes; // those under way at its end
      return result;
    },
  };
}

async function withCpu({ pid }, run) {
  const before = cpuMicros(pid);
  return { ...(await run()), cpu: cpuMicros(pid) - before };
}
