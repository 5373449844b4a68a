import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

export interface TemporaryFolder {
  readonly path: string;
}

/** A folder that is gone, with all in it, at the end of its scope: `await using folder = …`. */
export async function temporaryFolder(): Promise<AsyncDisposable & TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'reg-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** One for all tests of the file that calls it, gone after them. Its path is known once they run. */
export function useTemporaryFolder(): TemporaryFolder {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => folder?.[Symbol.asyncDispose]());
  return {
    get path() {
      return folder.path;
    },
  };
}
