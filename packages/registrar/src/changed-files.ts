// The files of a folder, followed by looking: each is read again only when it changed, whole or not at all. One that
// an edit made wrong stays as it was when it was right last.
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { now } from './clock.ts';

const extensions = ['.yaml', '.yml', '.json'];
const maxFiles = 10_000;
const maxFileBytes = 256 * 1024;

export interface KnownFile<Value, Fault> {
  readonly stamp: string;
  /** As it was when it was right last; undefined: it never was, or means nothing here. */
  readonly value: Value | undefined;
  readonly faults: readonly Fault[];
}

export type ParsedFile<Value, Fault> =
  | { readonly value: Value | undefined }
  | { readonly faults: readonly Fault[] };

interface Reading<Value, Fault> {
  /** What the folder holds, in the plural. */
  readonly what: string;
  /** @param name the file's, without its folder */
  readonly parse: (text: string, name: string) => ParsedFile<Value, Fault>;
  /** Of a file that cannot be read at all. */
  readonly faultOf: (message: string) => Fault;
  /** An editor writes a file in several steps: it is read when it has been as it is for so long. @default 0 */
  readonly leastAgeMs?: number;
}

/**
 * Brings `known`, by name, to what is there now.
 * @returns `young`: one was written so lately that it may not be whole
 * @throws where the folder cannot be read, or has too many
 */
export async function readChangedFiles<Value, Fault>(
  folder: string,
  known: Map<string, KnownFile<Value, Fault>>,
  reading: Reading<Value, Fault>,
): Promise<{ readonly changed: boolean; readonly young: boolean }> {
  const names = (await readdir(folder)).filter(
    (name) => extensions.includes(extname(name)) && name[0] !== '.',
  );
  if (names.length > maxFiles) throw new Error(`${folder} has more than ${maxFiles} ${reading.what}`);
  let changed = false;
  let young = false;
  for (const name of names.sort()) {
    const before = known.get(name);
    const after = await readOne(folder, name, before, reading);
    if (after === 'young') young = true;
    else if (after && after !== before) {
      changed = true;
      known.set(name, after);
    }
  }
  const there = new Set(names);
  for (const name of known.keys()) if (!there.has(name)) changed = known.delete(name) || changed;
  return { changed, young };
}

async function readOne<Value, Fault>(
  folder: string,
  name: string,
  before: KnownFile<Value, Fault> | undefined,
  { parse, faultOf, leastAgeMs = 0 }: Reading<Value, Fault>,
): Promise<KnownFile<Value, Fault> | 'young' | undefined> {
  const path = join(folder, name);
  const found = await stat(path).catch(() => undefined); // gone while we looked: the next look says so
  if (!found?.isFile()) return before;
  const stamp = `${found.ino} ${found.size} ${found.mtimeMs}`;
  if (before?.stamp === stamp) return before;
  const ageMs = now() - found.mtimeMs;
  if (ageMs >= 0 && ageMs < leastAgeMs) return 'young';
  const parsed: ParsedFile<Value, Fault> =
    found.size > maxFileBytes
      ? { faults: [faultOf(`is larger than ${maxFileBytes} bytes`)] }
      : await readFile(path, 'utf8').then(
          (text) => parse(text, name),
          (error: Error) => ({ faults: [faultOf(error.message)] }),
        );
  if ('faults' in parsed) return { stamp, value: before?.value, faults: parsed.faults };
  return { stamp, value: parsed.value, faults: [] };
}
