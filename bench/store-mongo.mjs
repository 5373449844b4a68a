// The store over MongoDB beside the bare database and beside the store in memory: one mongod for all of it.
import { measureDelay } from './mongo/delay.mjs';
import { measureMany } from './mongo/many-instances.mjs';
import { measureReads } from './mongo/reads.mjs';
import { measureRegistrations } from './mongo/registrations.mjs';
import { measureRenewals } from './mongo/renewals.mjs';
import { startReplicaSet } from './mongo/replica-set.mjs';
import { keep, printTable } from './support/report.mjs';
import { needWrk } from './support/wrk.mjs';

const parts = ['registrations', 'renewals', 'delay', 'reads', 'many'];

/** @param {{ rounds: number, seconds: number, smoke: boolean, only: string }} options `only`: one of the parts */
export async function benchStoreMongo({ rounds, seconds, smoke, only }) {
  needWrk();
  const wanted = parts.includes(only) ? [only] : parts;
  const mongod = await startReplicaSet();
  const results = {};
  try {
    const measure = {
      registrations: () => measureRegistrations(mongod, { rounds, seconds }),
      renewals: () => measureRenewals(mongod, { leases: smoke ? 100 : 10_000, seconds: smoke ? 1 : 20 }),
      delay: () => measureDelay(mongod, { changes: smoke ? 50 : 2_000 }),
      reads: () => measureReads(mongod, { rounds, seconds }),
      many: () => measureMany(mongod, { instances: smoke ? 1_000 : 100_000 }),
    };
    for (const part of wanted) results[part] = await measure[part]();
  } finally {
    await mongod.stop();
  }
  printTable([
    ['what', 'figure', 'beside', 'must', 'met'],
    ...wanted.flatMap((part) => lines[part](results[part])),
  ]);
  if (!smoke && wanted === parts) keep('store-mongo', { rounds, seconds, ...results });
}

const met = (isMet) => (isMet ? 'yes' : 'no');
const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MB`;

/** A line: what, figure, what it is beside, what it must be, whether it is. */
const lines = {
  registrations: (rows) =>
    rows.map(({ name, perSecond, cpuMicros, ofBare }) => {
      const isOurs = name !== rows[0].name && !name.includes('memory');
      const figure = `${perSecond.toFixed(0)}/s, ${cpuMicros.toFixed(0)} µs CPU`;
      return [name, figure, `× ${ofBare.toFixed(2)}`, ...(isOurs ? ['≥ × 3', met(ofBare >= 3)] : ['', ''])];
    }),
  renewals: ({ leases, renewalsPerSecond, writesPerSecond }) => [
    [
      `writes for ${leases} leases`,
      `${writesPerSecond.toFixed(1)}/s`,
      `${renewalsPerSecond.toFixed(0)} renewals/s`,
      '≤ 40/s',
      met(writesPerSecond <= 40),
    ],
  ],
  delay: ({ answer, tableAfterAnswer, tableAfterCall, streamAfterCall }) => {
    const line = (name, { p50Ms, p99Ms }, ...rest) => [
      name,
      `p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} ms`,
      ...rest,
    ];
    const more = tableAfterCall.p50Ms - streamAfterCall.p50Ms;
    return [
      line('call to answer', answer, '', '', ''),
      line("answer to another's table", tableAfterAnswer, '', '', ''),
      line('call to bare change stream', streamAfterCall, '', '', ''),
      line("call to another's table", tableAfterCall, `${more.toFixed(1)} ms more`, '≤ 5 ms', met(more <= 5)),
    ];
  },
  reads: (rows) =>
    rows.map(({ name, mongo, memory, ratio }) => [
      name,
      `${mongo.perSecond.toFixed(0)}/s, ${mongo.cpuMicros.toFixed(0)} µs CPU`,
      `${memory.perSecond.toFixed(0)}/s, ${memory.cpuMicros.toFixed(0)} µs in memory`,
      'CPU within 5 %',
      met(ratio >= 0.95),
    ]),
  many: ({ instances, readyMs, mongoBytes, memoryBytes }) => [
    [`${instances} instances: ready`, `${readyMs.toFixed(0)} ms`, '', '≤ 5000 ms', met(readyMs <= 5_000)],
    [
      `${instances} instances: RSS`,
      megabytes(mongoBytes),
      `${megabytes(memoryBytes)} in memory`,
      '≤ × 2',
      met(mongoBytes <= 2 * memoryBytes),
    ],
  ],
};
