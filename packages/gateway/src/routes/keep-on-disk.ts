// A gateway on its own keeps its last snapshot, so that it can serve when it starts while the registry is
// away. Written whole beside the old one, then renamed (rename(2) is atomic): a crash leaves either.
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { type Snapshot, snapshot as snapshotShape } from '@reg/schema';

export interface KeptSnapshot {
  /** What an earlier process kept. */
  readonly kept: Snapshot | undefined;
  /** @param read asked when it is written, at most once a second */
  changed(read: () => Snapshot | undefined): void;
  /** Writes what waits. */
  close(): Promise<void>;
}

const pauseMs = 1_000;

/** @param onError what is unreadable or cannot be written is told and left: the gateway goes on without */
export function keepOnDisk(file: string | undefined, onError: (error: unknown) => void): KeptSnapshot {
  if (file === undefined) return { kept: undefined, changed: () => undefined, close: async () => undefined };
  const path = file;
  let read: (() => Snapshot | undefined) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const snapshot = read?.();
    read = undefined;
    if (!snapshot) return;
    const beside = `${path}.${process.pid}.new`;
    await writeFile(beside, JSON.stringify(snapshot), { mode: 0o600, flush: true });
    await rename(beside, path);
  }

  function writeSoon(): void {
    timer = undefined;
    writing = writing.then(write).catch(onError);
  }

  return {
    kept: readKept(path, onError),
    changed(next) {
      read = next;
      if (timer) return;
      timer = setTimeout(writeSoon, pauseMs);
      timer.unref();
    },
    async close() {
      if (timer) {
        clearTimeout(timer);
        writeSoon();
      }
      await writing;
    },
  };
}

function readKept(path: string, onError: (error: unknown) => void): Snapshot | undefined {
  try {
    return snapshotShape.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const isFirstStart = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isFirstStart) onError(new Error(`the kept snapshot ${path} is not readable`, { cause: error }));
    return undefined;
  }
}
