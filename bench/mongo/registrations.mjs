// Registrations a second, 64 at a time, beside a loop of upserts over the same database: through the registry's
// own function, and through its HTTP API, which in memory too takes most of the time of a registration. Each round
// begins with an empty database that no other registry follows, and measures a loop that is warm.
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
      bareLoop('bare loop of upserts', await start(), mongod, seconds),
      inProcess('registry in MongoDB', await start(), mongod, seconds),
      overHttp('its HTTP API', await start(), mongod, seconds),
      overHttp('HTTP API in memory', await start(), undefined, seconds),
    ];
    const measured = new Map(cases.map(({ name }) => [name, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const { name, run } of rotated(cases, round)) {
        const result = await run(round);
        if (round > 0) measured.get(name).push(result); // the first one is for the compiler
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

function bareLoop(name, worker, mongod, seconds) {
  return {
    name,
    async run(round) {
      await worker.ask('openBare', { url: mongod.urlOf(`bare-${round}`) });
      return measure(worker, seconds, (first, wanted) =>
        worker.ask('upsertFor', { first, lanes, seconds: wanted }),
      );
    },
  };
}

function inProcess(name, worker, mongod, seconds) {
  return {
    name,
    async run(round) {
      await worker.ask('open', { url: mongod.urlOf(`in-process-${round}`) });
      return measure(worker, seconds, (first, wanted) =>
        worker.ask('registerFor', { first, lanes, seconds: wanted }),
      );
    },
  };
}

/** @param mongod undefined: in memory */
function overHttp(name, worker, mongod, seconds) {
  return {
    name,
    async run(round) {
      const { registry: url } = await worker.ask('open', { url: mongod?.urlOf(`http-${round}`) });
      return measure(worker, seconds, async (first, wanted) => {
        const load = { script, args: [String(first)], url, connections: lanes, seconds: wanted };
        const { requests, microseconds } = await wrkScript(load);
        return { count: requests, perSecond: (requests * 1_000_000) / microseconds };
      });
    },
  };
}

/** @param run registers for so long, from the instance of this number on */
async function measure(worker, seconds, run) {
  const warm = await run(0, Math.ceil(seconds / 2));
  const before = cpuMicros(worker.pid);
  const first = warm.count + lanes; // those under way at its end
  const result = { ...(await run(first, seconds)), cpu: cpuMicros(worker.pid) - before };
  await worker.ask('close');
  return result;
}
