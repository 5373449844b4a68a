// The log of `reg up`, on stderr. Node writes to a pipe synchronously: a reader that stops would stop the
// gateway. So lines are written by fs, one batch at a time, and wait in a bounded queue. Each write wakes
// a thread, which costs as much as the tenth part of a request: lines of some milliseconds share one.
import { write } from 'node:fs';
import { printable } from './printable.ts';

export type LogForm = 'json' | 'pretty';

export interface LogLines {
  readonly form: LogForm;
  /** What is unprintable in it is escaped. */
  add(line: string): void;
  /** Resolves when all is written that was added; a reader that is stuck is waited for a second at most. */
  close(): Promise<void>;
}

const maxWaitingCharacters = 1024 * 1024;
const maxClosingMs = 1_000;
/** What is lost of the log when the process is killed; nobody who reads it notices. */
const gatherMs = 10;
/** The pipe is full (EAGAIN): its reader gets this long before the next try. */
const fullPipeMs = 20;

/** @param descriptor 2 is stderr */
export function createLogLines(form: LogForm, descriptor = 2): LogLines {
  let waiting: string[] = [];
  let waitingCharacters = 0;
  let dropped = 0;
  let writing: Promise<void> | undefined;
  let closing = false;
  let hurry = () => {};

  async function writeAll(): Promise<void> {
    while (waiting.length > 0 || dropped > 0) {
      await gathered();
      if (dropped > 0) waiting.push(`${dropped} log lines were dropped: nobody read them\n`);
      const batch = Buffer.from(waiting.join(''));
      waiting = [];
      waitingCharacters = 0;
      dropped = 0;
      await writeBatch(descriptor, batch);
    }
    writing = undefined;
  }

  function gathered(): Promise<void> | undefined {
    if (closing) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, gatherMs);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    form,
    add(line) {
      if (waitingCharacters + line.length > maxWaitingCharacters) {
        dropped += 1;
        return;
      }
      waiting.push(`${printable(line)}\n`);
      waitingCharacters += line.length + 1;
      writing ??= Promise.resolve().then(writeAll);
    },
    async close() {
      closing = true;
      hurry();
      const limit = new Promise<void>((resolve) => setTimeout(resolve, maxClosingMs).unref());
      await Promise.race([writing, limit]);
    },
  };
}

async function writeBatch(descriptor: number, batch: Buffer): Promise<void> {
  let offset = 0;
  while (offset < batch.length) {
    const written = await writeSome(descriptor, batch, offset);
    if (written === undefined) return;
    if (written === 0) await new Promise((resolve) => setTimeout(resolve, fullPipeMs));
    offset += written;
  }
}

/** @returns undefined where nobody will ever read it (EPIPE, EBADF): a log that nobody reads ends no gateway */
function writeSome(descriptor: number, batch: Buffer, offset: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    write(descriptor, batch, offset, (error, written) => {
      if (error?.code === 'EAGAIN') return resolve(0);
      resolve(error ? undefined : written);
    });
  });
}
