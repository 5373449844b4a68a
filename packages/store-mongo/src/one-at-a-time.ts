export interface OneAtATime {
  /** Who comes while it is under way waits for that, and none is begun for them. */
  start(): Promise<void>;
  /** After what is under way, which may not have taken along what came meanwhile. */
  startAnew(): Promise<void>;
  /** Waits for what is under way, if anything is. */
  settled(): Promise<void>;
}

export function oneAtATime(work: () => Promise<void>): OneAtATime {
  let underWay: Promise<void> | undefined;

  function start(): Promise<void> {
    underWay ??= work().finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  return {
    start,
    async startAnew() {
      await underWay;
      await start();
    },
    async settled() {
      await underWay;
    },
  };
}
