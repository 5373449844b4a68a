// The folder of policy files, followed: a file that is changed is read anew, whole or not at all. One that is
// broken by an edit stays in force as it was before.
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { watchFolder } from '../watch-folder.ts';
import { type PolicyFault, parsePolicy } from './parse-policy.ts';
import type { Policy } from './policy.ts';

/** An editor writes a file in several steps: it is read when it has been as it is for so long. */
const quietMs = 100;
/** What the watch misses (another machine's edit on a network file system) is found by looking. */
const lookEveryMs = 2_000;
const maxFiles = 10_000;
const maxFileBytes = 256 * 1024;
const extensions = ['.yaml', '.yml', '.json'];

export interface BrokenFile {
  readonly file: string;
  readonly faults: readonly PolicyFault[];
  /** An earlier state of it stays in force. */
  readonly hasLastGood: boolean;
}

export interface Policies {
  /** By service. */
  readonly policies: ReadonlyMap<string, Policy>;
  readonly broken: readonly BrokenFile[];
}

interface Known {
  readonly stamp: string;
  readonly policy: Policy | undefined;
  readonly faults: readonly PolicyFault[];
}

/** Reads it once. @throws where the folder cannot be read */
export async function readPolicyFolder(folder: string): Promise<Policies> {
  const known = new Map<string, Known>();
  await readChanged(folder, known, 0);
  return collect(known);
}

/**
 * @param onChange called with all of them, first when they are read for the first time
 * @param onTrouble the folder cannot be read; undefined: it can be again
 */
export function followPolicyFolder(
  folder: string,
  onChange: (policies: Policies) => void,
  onTrouble: (trouble: string | undefined) => void,
): { close(): void } {
  const known = new Map<string, Known>();
  let closed = false;
  let first = true;
  let timer: NodeJS.Timeout | undefined;
  let looking = false;

  const lookIn = (inMs: number) => {
    if (closed || looking) return;
    clearTimeout(timer);
    timer = setTimeout(look, inMs);
  };
  async function look(): Promise<void> {
    looking = true;
    let nextMs = lookEveryMs;
    try {
      const { changed, young } = await readChanged(folder, known, first ? 0 : quietMs);
      onTrouble(undefined);
      if (young) nextMs = quietMs;
      if ((changed || first) && !closed) onChange(collect(known));
      first = false;
    } catch (error) {
      onTrouble((error as Error).message);
    }
    looking = false;
    lookIn(nextMs);
  }

  const watcher = watchFolder(folder, () => lookIn(quietMs));
  void look();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      watcher?.close();
    },
  };
}

/** @returns `young`: one was written so lately that it may not be whole */
async function readChanged(folder: string, known: Map<string, Known>, leastAgeMs: number) {
  const names = (await readdir(folder)).filter(
    (name) => extensions.includes(extname(name)) && name[0] !== '.',
  );
  if (names.length > maxFiles) throw new Error(`${folder} has more than ${maxFiles} policy files`);
  let changed = false;
  let young = false;
  for (const name of names.sort()) {
    const before = known.get(name);
    const now = await readOne(join(folder, name), nameOf(name), before, leastAgeMs);
    if (now === 'young') young = true;
    else if (now !== before) {
      changed = true;
      if (now) known.set(name, now);
    }
  }
  for (const name of known.keys()) {
    if (!names.includes(name)) changed = known.delete(name) || changed;
  }
  return { changed, young };
}

async function readOne(path: string, name: string, before: Known | undefined, leastAgeMs: number) {
  const found = await stat(path).catch(() => undefined); // gone while we looked: the next look says so
  if (!found?.isFile()) return before;
  const stamp = `${found.ino} ${found.size} ${found.mtimeMs}`;
  if (before?.stamp === stamp) return before;
  const ageMs = Date.now() - found.mtimeMs;
  if (ageMs >= 0 && ageMs < leastAgeMs) return 'young';
  const fault = (message: string) => ({ faults: [{ line: 1, column: 1, path: '', message }] });
  const parsed =
    found.size > maxFileBytes
      ? fault(`is larger than ${maxFileBytes} bytes`)
      : await readFile(path, 'utf8').then(
          (text) => parsePolicy(text, name),
          (error: Error) => fault(error.message),
        );
  if ('policy' in parsed) return { stamp, policy: parsed.policy, faults: [] };
  return { stamp, policy: before?.policy, faults: parsed.faults };
}

function nameOf(file: string): string {
  return file.slice(0, -extname(file).length);
}

/** Two files of one service: the first by name counts. */
function collect(known: ReadonlyMap<string, Known>): Policies {
  const policies = new Map<string, Policy>();
  const fileOf = new Map<string, string>();
  const broken: BrokenFile[] = [];
  for (const [file, { policy, faults }] of [...known].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (faults.length > 0) broken.push({ file, faults, hasLastGood: policy !== undefined });
    if (!policy) continue;
    const holder = fileOf.get(policy.service);
    if (holder === undefined) {
      policies.set(policy.service, policy);
      fileOf.set(policy.service, file);
      continue;
    }
    const message = `is of ${policy.service}, as ${holder} is, which counts`;
    broken.push({ file, faults: [{ line: 1, column: 1, path: 'name', message }], hasLastGood: false });
  }
  return { policies, broken };
}
