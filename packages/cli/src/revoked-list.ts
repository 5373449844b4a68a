// `--revoked FILE`: ids (`jti`) of tokens that count no more, one a line. Polled, since a file that an editor
// or a deploy replaces is another file, which a watch of the first would never see.

import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Part } from './part.ts';

export interface RevokedList extends Part {
  has(id: string): boolean;
}

const pollMs = 1_000;

/**
 * @param say takes one line where the file cannot be read any more (the last list stays), or is again
 * @throws node's error where it cannot be read to begin with
 */
export async function openRevokedList(path: string, say: (line: string) => void): Promise<RevokedList> {
  let ids = idsOf(await readFile(path, 'utf8'));
  let readable = true;

  async function read(): Promise<void> {
    try {
      ids = idsOf(await readFile(path, 'utf8'));
      if (!readable) say(`--revoked ${path} is read again`);
      readable = true;
    } catch (error) {
      if (readable)
        say(`--revoked ${path} cannot be read, what it said last stays: ${(error as Error).message}`);
      readable = false;
    }
  }

  const changed = () => void read();
  watchFile(path, { interval: pollMs, persistent: false }, changed);
  return {
    has: (id) => ids.has(id),
    async close() {
      unwatchFile(path, changed);
    },
  };
}

function idsOf(text: string): ReadonlySet<string> {
  return new Set(
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
  );
}
