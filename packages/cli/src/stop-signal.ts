import { constants } from 'node:os';

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type StopSignal = (typeof names)[number];

/** One Ctrl-C may come twice, from the terminal and forwarded by npx or pnpm. */
const sameSignalMs = 100;

/** The longest that a timer takes (HTML §8.6: a signed 32-bit number of milliseconds). */
const longestMs = 2 ** 31 - 1;

/** Resolves at the first SIGINT, SIGTERM or SIGHUP. The next one ends the process at once, with its exit code. */
export function stopSignal(): Promise<StopSignal> {
  let firstAt: number | undefined;
  return new Promise((resolve) => {
    for (const name of names) {
      process.on(name, () => {
        resolve(name);
        firstAt ??= performance.now();
        if (performance.now() - firstAt >= sameSignalMs) process.exit(128 + constants.signals[name]);
      });
    }
  });
}

/** Waits, and keeps the process alive meanwhile: node ends it when nothing but promises is left. */
export async function stayFor<Result>(promise: Promise<Result>): Promise<Result> {
  const alive = setInterval(() => undefined, longestMs);
  try {
    return await promise;
  } finally {
    clearInterval(alive);
  }
}
