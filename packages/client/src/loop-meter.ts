// How the main thread's event loop fares, for a thread that cannot ask it: the loop writes into shared
// memory whenever it turns, the worker reads. One writer, whole cells of 32 bits, so nothing is locked.
import { performance } from 'node:perf_hooks';
import type { LoopLoad } from '@reg/schema/shapes';
import { monotonicMs } from './monotonic.ts';

/** Often enough for a limit of a second, seldom enough for an idle process to stay idle. */
const turnMs = 250;

/** More than there are between two renewals, which are 10 s apart at most. */
const turnsKept = 64;

/** The cells: sums that grow and wrap around at 32 bits, so only differences of them say something. */
const turnsAt = 0;
const turnedAt = 1;
const activeAt = 2;
const idleAt = 3;
const lateAt = 4;

export type LoopCells = Int32Array<SharedArrayBuffer>;

export interface LoopMeter {
  readonly cells: LoopCells;
  stop(): void;
}

/** Measures the loop of this thread. Keeps no process alive. */
export function startLoopMeter(): LoopMeter {
  const cells = new Int32Array(new SharedArrayBuffer(4 * (lateAt + turnsKept)));
  let dueMs = monotonicMs();
  function turn(): void {
    const now = monotonicMs();
    const { active, idle } = performance.eventLoopUtilization();
    const turns = Atomics.load(cells, turnsAt);
    Atomics.store(cells, lateAt + (turns % turnsKept), Math.max(0, now - dueMs));
    Atomics.store(cells, activeAt, active);
    Atomics.store(cells, idleAt, idle);
    Atomics.store(cells, turnedAt, now);
    Atomics.store(cells, turnsAt, turns + 1);
    dueMs = now + turnMs;
  }
  turn();
  const timer = setInterval(turn, turnMs).unref();
  return { cells, stop: () => clearInterval(timer) };
}

export interface LoopReader {
  /** How long the loop has not turned, as far as is seen: up to 250 ms are none. */
  sinceTurnMs(): number;
  /** Of the time since it was asked last. */
  load(): LoopLoad;
}

export function createLoopReader(cells: LoopCells): LoopReader {
  let before = cells.slice();
  let utilization = 0;
  const sinceTurnMs = () => (monotonicMs() - Atomics.load(cells, turnedAt)) | 0;

  return {
    sinceTurnMs,
    load() {
      const now = cells.slice();
      const since = (cell: number) => ((now[cell] ?? 0) - (before[cell] ?? 0)) | 0;
      const turns = Math.min(since(turnsAt), turnsKept);
      const late = Array.from({ length: turns }, (_, ago) => {
        return now[lateAt + (((now[turnsAt] ?? 0) - 1 - ago) % turnsKept)] ?? 0;
      });
      const stalledMs = Math.max(0, sinceTurnMs() - turnMs);
      const activeMs = since(activeAt) + stalledMs;
      const wholeMs = activeMs + since(idleAt);
      // Read again before the loop has turned: nothing new is known.
      if (wholeMs > 0) utilization = Math.round((1_000 * activeMs) / wholeMs) / 1_000;
      before = now;
      return { loopUtilization: utilization, loopDelayMs: Math.max(stalledMs, ...late) };
    },
  };
}
