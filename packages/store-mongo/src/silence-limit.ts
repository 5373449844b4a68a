// A limit on each of many reads, one after the other, for one timer: `within` for each of them cost a fifth of what
// it costs to read an event.
const lookEveryMs = 250;

export interface SilenceLimit {
  /** What comes of the read, at the latest then or 250 ms later. @throws with `late`; it goes on unheard */
  within<Result>(limitMs: number, read: Promise<Result>): Promise<Result>;
  /** Nobody waits any more: what is read then, and from then on, counts as late. */
  end(): void;
}

export function createSilenceLimit(late: string): SilenceLimit {
  let leftMs = 0;
  let ended = false;
  let giveUp: (cause: Error) => void = () => {};
  // By turns of the timer and not by a clock: a process that stood still itself has not waited.
  const timer = setInterval(() => {
    leftMs -= lookEveryMs;
    if (leftMs < 0) giveUp(new Error(late));
  }, lookEveryMs);
  return {
    within(limitMs, read) {
      leftMs = limitMs;
      return new Promise((resolve, reject) => {
        giveUp = reject;
        read.then(resolve, reject);
        if (ended) reject(new Error(late));
      });
    },
    end() {
      ended = true;
      clearInterval(timer);
      giveUp(new Error(late));
    },
  };
}
