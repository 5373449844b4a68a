export interface OneAtATime {
  /** Who comes while it is under way waits for that, and none is begun for them. */
  start(): Promise<void>;
  /** Waits for what is under way, if anything is. */
  settled(): Promise<void>;
}

export function oneAtATime(work: () => Promise<void>): OneAtATime {
  let underWay: Promise<void> | undefined;
  return {
    start() {
      underWay ??= work().finally(() => {
        underWay = undefined;
      });
      return underWay;
    },
    async settled() {
      await underWay;
    },
  };
}
