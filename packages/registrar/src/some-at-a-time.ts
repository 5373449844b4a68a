export interface Works {
  /** Begins it when there is room. @param work never rejects */
  add(work: () => Promise<void>): void;
  /** How many wait for room. */
  waiting(): number;
  /** What waits is left out. Resolves when what was begun is done. */
  close(): Promise<void>;
}

/** @param ended called after each */
export function someAtATime(atOnce: number, ended: () => void = () => undefined): Works {
  const waiting: (() => Promise<void>)[] = [];
  const underWay = new Set<Promise<void>>();
  let closed = false;

  function startSome(): void {
    while (underWay.size < atOnce && !closed) {
      const next = waiting.shift();
      if (!next) return;
      const running = next().finally(() => {
        underWay.delete(running);
        startSome();
        ended();
      });
      underWay.add(running);
    }
  }

  return {
    add(work) {
      waiting.push(work);
      startSome();
    },
    waiting: () => waiting.length,
    async close() {
      closed = true;
      await Promise.allSettled(underWay);
    },
  };
}
