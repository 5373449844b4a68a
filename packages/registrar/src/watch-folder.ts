import { type FSWatcher, watch } from 'node:fs';

/** Undefined where there is nothing to watch yet, or not any more: whoever needs to know has to look, too. */
export function watchFolder(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    return watcher.on('error', () => watcher.close()); // the folder is gone
  } catch {
    return undefined;
  }
}
