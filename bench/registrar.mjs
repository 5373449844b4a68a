// The registrar's two limits: `reconcile` for 10,000 instances, and as many HTTP checks in 10 s on one core: how late
// they begin, and what they cost. The checked side runs in another process on the other cores.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpuMicros } from './support/cpu.mjs';
import { pinned, startServer } from './support/processes.mjs';
import { keep, median, printTable } from './support/report.mjs';

const intervalMs = 10_000;
const part = (name) => fileURLToPath(new URL(`registrar/${name}.mjs`, import.meta.url));

/** @param {{ rounds: number, smoke: boolean }} options */
export async function benchRegistrar({ rounds, smoke }) {
  const instances = smoke ? 200 : 10_000;
  const reconciled = await reconcileTimes(instances, smoke ? 3 : 5 * rounds);
  const checked = await checkLateness(instances, smoke ? 1 : 3);
  const rows = [
    ['reconcile, p50 ms', reconciled.p50Ms.toFixed(1), '20'],
    ['reconcile, worst ms', reconciled.worstMs.toFixed(1), ''],
    ['checks a second', checked.perSecond.toFixed(0), ''],
    ['late, p50 ms', checked.lateP50Ms.toFixed(1), ''],
    ['late, p99 ms', checked.lateP99Ms.toFixed(1), '250'],
    ['CPU µs a check', checked.cpuMicros.toFixed(0), ''],
    ['of one core, %', checked.corePercent.toFixed(0), '100'],
    ['failed', String(checked.failed), '0'],
  ];
  printTable([[`${instances} instances`, 'measured', 'at most'], ...rows]);
  if (!smoke) keep('registrar', { instances, intervalMs, reconcile: reconciled, checks: checked });
}

async function reconcileTimes(instances, times) {
  const args = [part('reconcile'), String(instances), String(times)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const measured = JSON.parse(stdout);
  return { p50Ms: median(measured), worstMs: Math.max(...measured) };
}

/** @param {number} periods measured, after the first one, in which all are new */
async function checkLateness(instances, periods) {
  const command = [process.execPath, part('target')];
  const target = await startServer(command, { isMeasured: false, ready: /^http:/ });
  try {
    const [file, ...args] = pinned(
      [process.execPath, part('checks'), target.line, `${instances}`, `${intervalMs}`],
      true,
    );
    const checker = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    checker.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    const lines = () => printed.split('\n').slice(0, -1); // the last one is not whole yet
    while (lines().length < 1) await once(checker.stdout, 'data'); // its first period
    const before = cpuMicros(checker.pid);
    const began = performance.now();
    while (lines().length < 1 + periods) await once(checker.stdout, 'data');
    const seconds = (performance.now() - began) / 1_000;
    const cpu = cpuMicros(checker.pid) - before;
    checker.kill();
    const measured = lines()
      .slice(1, 1 + periods)
      .map((text) => JSON.parse(text));
    const made = measured.reduce((sum, period) => sum + period.made, 0);
    return {
      perSecond: made / seconds,
      lateP50Ms: median(measured.map(({ lateP50Ms }) => lateP50Ms)),
      lateP99Ms: Math.max(...measured.map(({ lateP99Ms }) => lateP99Ms)),
      cpuMicros: cpu / made,
      corePercent: (cpu / 1e6 / seconds) * 100,
      failed: measured.reduce((sum, { failed }) => sum + failed, 0),
    };
  } finally {
    await target.stop();
  }
}
