import { constants } from 'node:os';

/** Resolves at the first SIGINT, SIGTERM or SIGHUP; the next one ends the process at once, as that signal does. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const asked = (signal: NodeJS.Signals) => {
      resolve(signal);
      for (const name of names) {
        process.removeListener(name, asked);
        process.once(name, () => process.exit(128 + constants.signals[name]));
      }
    };
    for (const name of names) process.once(name, asked);
  });
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
