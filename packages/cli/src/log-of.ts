import type { LogLines } from './log-lines.ts';

/** Takes a line of this part. */
export function logOf(part: string, log: LogLines): (message: string) => void {
  return (message) =>
    log.add(log.form === 'json' ? JSON.stringify({ part, message }) : `${part}  ${message}`);
}
