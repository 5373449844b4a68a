// The unit files that we wrote, known by their [X-Reg] section; nobody else's is ever written or removed.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';

export interface OwnUnit {
  /** The service's name. */
  readonly service: string;
  /** `tickets.service`, `tickets@.service`; of a drop-in the unit that it is for. */
  readonly unit: string;
  readonly dropIn: boolean;
  readonly path: string;
}

const dropInName = 'reg.conf';

export function unitPath(folder: string, unit: string, dropIn: boolean): string {
  return dropIn ? join(folder, `${unit}.d`, dropInName) : join(folder, unit);
}

/**
 * Whole or not at all.
 * @throws InvalidArgumentError, unless `force`, where a file is there that is not ours, is another service's, or was
 * changed by hand since
 */
export async function writeUnit(path: string, text: string, force: boolean): Promise<void> {
  const present = await readIfThere(path);
  const reason = present === undefined || force ? undefined : whyNotOver(present, text);
  if (reason !== undefined) throw new InvalidArgumentError(`${path} ${reason}; --force writes over it`);
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`; // no name that systemd would read
  try {
    await writeFile(draft, sealed(text));
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

function whyNotOver(present: string, text: string): string | undefined {
  const service = serviceIn(present);
  if (service === undefined) return 'is there and not ours';
  if (service !== serviceIn(text)) return `is of ${service}`;
  return sealed(present.replace(seal, '\n')) === present ? undefined : 'was changed by hand';
}

const seal = /\nWritten=[0-9a-f]+\n/;

/** With a hash of it all, by which we see that nobody changed it since. */
function sealed(text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return text.replace(/^(\[X-Reg\]\nService=[^\n]*\n)/m, (section) => `${section}Written=${hash}\n`);
}

export async function removeUnit({ path, dropIn }: OwnUnit): Promise<void> {
  await rm(path);
  if (!dropIn) return;
  await rmdir(dirname(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY') throw error; // others' drop-ins are there too
  });
}

/** Sorted by unit; what cannot be read is not ours. */
export async function ownUnits(folder: string): Promise<OwnUnit[]> {
  const names = await readdir(folder).catch(none);
  const found: OwnUnit[] = [];
  for (const name of names.sort()) {
    const [, unit, isFolder] = /^(.+\.service)(\.d)?$/.exec(name) ?? [];
    if (unit === undefined) continue;
    const dropIn = isFolder !== undefined;
    const path = unitPath(folder, unit, dropIn);
    const service = serviceIn((await readIfThere(path)) ?? '');
    if (service !== undefined) found.push({ service, unit, dropIn, path });
  }
  return found;
}

function serviceIn(text: string): string | undefined {
  const [, name] = /^\[X-Reg\]\nService=("[^\n]*")$/m.exec(text) ?? [];
  if (name === undefined) return undefined;
  try {
    return JSON.parse(name);
  } catch {
    return undefined; // somebody edited it away
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EISDIR') return undefined;
    throw error;
  }
}

function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
