// Which sources changed. A watch per folder, not `recursive`: on Linux that one watches files, and loses those
// that an editor replaces by renaming (node 20).
import { readdirSync, statSync, watch } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** A save is several events, and a checkout many: they count as one change when this long nothing came. */
const quietMs = 100;

/**
 * @param {string} root
 * @param {string[]} tops folders of packages: `packages/*` and `apps/*` are watched in their `src`
 * @returns {{ next(): Promise<Set<string>>, close(): void }} `next` resolves with the packages that changed
 *   since the last one, like `packages/client`
 */
export function watchSources(root, tops) {
  const watchers = new Map();
  let changed = new Set();
  let quiet;
  let tell = () => {};

  /** A folder that was deleted and made again is another one: only its inode tells. */
  function scan() {
    const inodes = new Map(tops.flatMap((top) => sourceFolders(join(root, top))));
    for (const [folder, { inode, watcher }] of watchers) {
      if (inodes.get(folder) === inode) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const [folder, inode] of inodes) {
      if (!watchers.has(folder)) watchers.set(folder, { inode, watcher: watchFolder(folder) });
    }
  }

  function watchFolder(folder) {
    const watcher = watch(folder, (event, file) => {
      if (event === 'rename') scan(); // a folder may have come or gone
      if (file !== null && !changesBuild(file)) return;
      changed.add(relative(root, folder).split(sep).slice(0, 2).join('/'));
      clearTimeout(quiet);
      quiet = setTimeout(() => {
        quiet = undefined;
        tell();
      }, quietMs);
    });
    return watcher.on('error', () => watcher.close()); // the folder is gone; `scan` finds its successor
  }

  scan();
  return {
    next() {
      return new Promise((resolve) => {
        tell = () => {
          if (changed.size === 0) return;
          const all = changed;
          changed = new Set();
          tell = () => {};
          resolve(all);
        };
        if (quiet === undefined) tell();
      });
    },
    close() {
      clearTimeout(quiet);
      for (const { watcher } of watchers.values()) watcher.close();
    },
  };
}

/** Builds write generated sources themselves; tests are in no build. */
function changesBuild(file) {
  return !/\.generated\.|\.test\.ts$/.test(file);
}

/** @returns {[folder: string, inode: number][]} */
function sourceFolders(top) {
  return readdirSync(top).flatMap((name) => {
    const source = join(top, name, 'src');
    try {
      const inside = readdirSync(source, { recursive: true, withFileTypes: true });
      const folders = inside.filter((one) => one.isDirectory()).map((one) => join(one.parentPath, one.name));
      return [source, ...folders].map((folder) => [folder, statSync(folder).ino]);
    } catch (error) {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []; // no package, or gone while we looked
      throw error;
    }
  });
}
