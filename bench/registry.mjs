// Register, renew and look up beside etcd, in interleaved rounds. Ours keeps its state in memory, etcd on
// disk: the row without fsync is the nearer one. Reached by HTTP and JSON both; etcd's gRPC is faster than that.
import { Pool } from 'undici';
import { findEtcd } from './registries/find-etcd.mjs';
import { instancesPerService, startEtcd, startOurs } from './registries/start.mjs';
import { cpuMicros } from './support/cpu.mjs';
import { keep, median, printTable, quantile } from './support/report.mjs';
import { rotated } from './support/rotated.mjs';

const connections = 64;
const operations = ['register', 'renew', 'lookup'];

/** @param {{ rounds: number, instances: number, smoke: boolean }} options */
export async function benchRegistry({ rounds, instances, smoke }) {
  const etcd = findEtcd();
  if (!etcd) console.log('no etcd: name one by ETCD, or install it');
  const registries = [];
  try {
    registries.push(await startOurs());
    if (etcd) registries.push(await startEtcd(etcd, { isDurable: true }));
    if (etcd) registries.push(await startEtcd(etcd, { isDurable: false }));
    const measured = new Map();
    for (let round = 0; round <= rounds; round++) {
      for (const operation of operations) {
        for (const registry of rotated(registries, round)) {
          const result = await measure(registry, operation, round * instances, instances);
          const key = `${operation}\n${registry.name}`;
          if (round > 0) measured.set(key, [...(measured.get(key) ?? []), result]); // the first one warms up
        }
      }
    }
    const rows = operations.flatMap((operation) => {
      return registries.map(({ name }) => summary(operation, name, measured.get(`${operation}\n${name}`)));
    });
    report(rows, registries[0].name);
    if (!smoke) keep('registry', { connections, rounds, instances, rows });
  } finally {
    for (const registry of registries) await registry.stop();
  }
}

/** Each instance once, on as many lanes as there are connections. */
async function measure(registry, operation, first, count) {
  const pool = new Pool(registry.url, { connections, pipelining: 1 });
  const times = [];
  let next = first;
  async function lane() {
    while (next < first + count) {
      const index = next++;
      const began = performance.now();
      const answer = await callAll(pool, registry[operation](index));
      times.push(performance.now() - began);
      if (operation === 'register') registry.registered(index, answer);
      if (operation === 'lookup' && registry.listedIn(answer) !== instancesPerService) {
        throw new Error(`${registry.name} lists ${registry.listedIn(answer)} instances: ${answer}`);
      }
    }
  }
  const before = cpuMicros(registry.pid);
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, lane));
  const seconds = (performance.now() - began) / 1_000;
  const cpu = cpuMicros(registry.pid) - before;
  await pool.close();
  return {
    perSecond: count / seconds,
    cpuMicros: cpu / count,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  };
}

/** @returns the last answer */
async function callAll(pool, calls) {
  let answer = '';
  for (const { method, path, body } of calls) {
    const headers = body ? { 'content-type': 'application/json' } : {};
    const response = await pool.request({ method, path, body, headers });
    answer = await response.body.text();
    if (response.statusCode >= 300)
      throw new Error(`${method} ${path} answered ${response.statusCode}: ${answer}`);
  }
  return answer;
}

function summary(operation, registry, rounds) {
  const of = (field) => Math.round(median(rounds.map((round) => round[field])) * 100) / 100;
  return {
    operation,
    registry,
    perSecond: of('perSecond'),
    cpuMicros: of('cpuMicros'),
    p50Ms: of('p50'),
    p99Ms: of('p99'),
  };
}

function report(rows, ours) {
  const heading = [
    'operation',
    'registry',
    'per s',
    'CPU µs',
    'p50 ms',
    'p99 ms',
    'ours ÷ it',
    'its CPU ÷ ours',
  ];
  const lines = rows.map((row) => {
    const own = rows.find((other) => other.operation === row.operation && other.registry === ours);
    return [
      row.operation,
      row.registry,
      row.perSecond.toFixed(0),
      row.cpuMicros.toFixed(0),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      (own.perSecond / row.perSecond).toFixed(2),
      (row.cpuMicros / own.cpuMicros).toFixed(2),
    ];
  });
  printTable([heading, ...lines]);
}
