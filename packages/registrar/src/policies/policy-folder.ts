// The folder of policy files, followed: a file that is changed is read anew, whole or not at all. One that is
// broken by an edit stays in force as it was before.
import { extname } from 'node:path';
import { type KnownFile, type ParsedFile, readChangedFiles } from '../changed-files.ts';
import { watchFolder } from '../watch-folder.ts';
import { type PolicyFault, parsePolicy } from './parse-policy.ts';
import type { Policy } from './policy.ts';

/** An editor writes a file in several steps: it is read when it has been as it is for so long. */
const quietMs = 100;
/** What the watch misses (another machine's edit on a network file system) is found by looking. */
const lookEveryMs = 2_000;

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

type Known = KnownFile<Policy, PolicyFault>;

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

function readChanged(folder: string, known: Map<string, Known>, leastAgeMs: number) {
  const faultOf = (message: string): PolicyFault => ({ line: 1, column: 1, path: '', message });
  return readChangedFiles(folder, known, { what: 'policy files', parse, faultOf, leastAgeMs });
}

function parse(text: string, file: string): ParsedFile<Policy, PolicyFault> {
  const parsed = parsePolicy(text, nameOf(file));
  return 'policy' in parsed ? { value: parsed.policy } : parsed;
}

function nameOf(file: string): string {
  return file.slice(0, -extname(file).length);
}

/** Two files of one service: the first by name counts. */
function collect(known: ReadonlyMap<string, Known>): Policies {
  const policies = new Map<string, Policy>();
  const fileOf = new Map<string, string>();
  const broken: BrokenFile[] = [];
  for (const [file, { value: policy, faults }] of [...known].sort(([one], [other]) =>
    one < other ? -1 : 1,
  )) {
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
