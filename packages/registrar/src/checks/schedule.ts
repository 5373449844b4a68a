// When each check is made. One timer for all; a check is made again only after it ended, so none piles up. Those
// that were slow the last time have places of their own: a thousand that never answer delay nobody else.

/** Places for checks that answered soon the last time, and for those that did not. */
const fastPlaces = 1_024;
const slowPlaces = 512;
/** From then on a check is a slow one. */
const slowMs = 500;

interface ScheduledCheck {
  readonly intervalMs: number;
  /** Never rejects, and ends within its own limit. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface CheckSchedule {
  /** Soon for the first time, then every interval. */
  add(check: ScheduledCheck): Scheduled;
  /** How late checks began, in milliseconds: of those since the last call. */
  lateness(): number[];
  close(): void;
}

export interface Scheduled {
  /** From its next time on. */
  every(intervalMs: number): void;
  remove(): void;
}

interface Entry {
  check: ScheduledCheck;
  intervalMs: number;
  dueAt: number;
  /** It has just become rarer: its next time is any within the interval, so that all do not come at once. */
  spread: boolean;
  slow: boolean;
  removed: boolean;
  stopping: AbortController;
}

/** So many are made at a time when many come at once: the first checks of 10,000 instances take some seconds. */
const firstPerSecond = 2_000;
const latenessKept = 100_000;

export function createCheckSchedule({
  random = Math.random,
}: {
  readonly random?: () => number;
} = {}): CheckSchedule {
  const due: Entry[] = []; // a heap by dueAt
  const waiting = { fast: [] as Entry[], slow: [] as Entry[] };
  const free = { fast: fastPlaces, slow: slowPlaces };
  const all = new Set<Entry>();
  let lateness: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let nextFirstAt = 0;
  let closed = false;

  function plan(entry: Entry): void {
    push(due, entry);
    if (due[0] === entry) arm();
  }

  function arm(): void {
    const next = due[0]?.dueAt ?? Number.POSITIVE_INFINITY;
    if (closed || next === timerAt) return;
    clearTimeout(timer);
    timerAt = next;
    if (next !== Number.POSITIVE_INFINITY) timer = setTimeout(turn, Math.max(0, next - performance.now()));
  }

  function turn(): void {
    timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (let entry = due[0]; entry && entry.dueAt <= now; entry = due[0]) {
      pop(due);
      if (!entry.removed) waiting[entry.slow ? 'slow' : 'fast'].push(entry);
    }
    startWaiting('fast');
    startWaiting('slow');
    arm();
  }

  function startWaiting(lane: 'fast' | 'slow'): void {
    const queue = waiting[lane];
    let taken = 0;
    while (free[lane] > 0 && taken < queue.length) {
      const entry = queue[taken++] as Entry;
      if (!entry.removed) void make(entry, lane);
    }
    if (taken > 0) queue.splice(0, taken);
  }

  async function make(entry: Entry, lane: 'fast' | 'slow'): Promise<void> {
    free[lane] -= 1;
    const startedAt = performance.now();
    if (lateness.length < latenessKept) lateness.push(startedAt - entry.dueAt);
    await entry.check.run(entry.stopping.signal);
    const endedAt = performance.now();
    entry.slow = endedAt - startedAt > slowMs;
    free[lane] += 1;
    if (!entry.removed && !closed) {
      // In step with its first time, a little earlier or later; what was missed meanwhile is left out.
      const share = entry.spread ? 0.1 + 0.9 * random() : 0.95 + 0.1 * random();
      entry.spread = false;
      entry.dueAt = Math.max(entry.dueAt + entry.intervalMs * share, endedAt);
      plan(entry);
    }
    if (waiting[lane].length > 0) startWaiting(lane);
  }

  return {
    add(check) {
      const now = performance.now();
      const { intervalMs } = check;
      nextFirstAt = Math.max(nextFirstAt, now) + 1_000 / firstPerSecond;
      const entry: Entry = {
        check,
        intervalMs,
        dueAt: nextFirstAt,
        spread: false,
        slow: false,
        removed: false,
        stopping: new AbortController(),
      };
      all.add(entry);
      plan(entry);
      return {
        every(intervalMs) {
          entry.spread ||= intervalMs > entry.intervalMs;
          entry.intervalMs = intervalMs;
        },
        remove() {
          entry.removed = true;
          entry.stopping.abort();
          all.delete(entry);
        },
      };
    },
    lateness() {
      const measured = lateness;
      lateness = [];
      return measured;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      for (const entry of all) {
        entry.removed = true;
        entry.stopping.abort();
      }
    },
  };
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if ((heap[parent] as Entry).dueAt <= entry.dueAt) break;
    heap[index] = heap[parent] as Entry;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as Entry).dueAt < (heap[child] as Entry).dueAt)
      child += 1;
    if ((heap[child] as Entry).dueAt >= last.dueAt) break;
    heap[index] = heap[child] as Entry;
    index = child;
  }
  heap[index] = last;
}
