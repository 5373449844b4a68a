// The secret that signs callers' tokens, made once for a data folder and found there by `reg token`.
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';

export interface SecretFile {
  readonly path: string;
  readonly secret: string;
  /** Made by this call. */
  readonly made: boolean;
}

/** `/var/lib/reg` for root, else the user's state folder (XDG Base Directory Specification). */
export function dataFolder(
  setting: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  if (setting !== undefined) return resolve(setting);
  if (userInfo().uid === 0) return '/var/lib/reg';
  const { XDG_STATE_HOME: stateHome } = environment;
  return join(stateHome?.startsWith('/') ? stateHome : join(homedir(), '.local', 'state'), 'reg');
}

const pathIn = (folder: string) => join(folder, 'jwt-secret');

/** @returns undefined where none was made yet */
export async function readSecret(folder: string): Promise<SecretFile | undefined> {
  const path = pathIn(folder);
  try {
    return { path, secret: (await readFile(path, 'utf8')).trim(), made: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The folder's secret, made if there is none: 32 random bytes in a file of mode 0600, in a folder of mode
 * 0700 where that is new. Of two that make one at once, `link` lets one win and both read the same: it
 * never replaces, and who reads sees the whole file or none.
 */
export async function ensureSecret(folder: string): Promise<SecretFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await readSecret(folder);
  if (found) return found;
  const draft = join(folder, `jwt-secret.${randomBytes(8).toString('hex')}`);
  const secret = `base64:${randomBytes(32).toString('base64')}`;
  try {
    await writeDurably(draft, `${secret}\n`);
    await link(draft, pathIn(folder));
    return { path: pathIn(folder), secret, made: true };
  } catch (error) {
    const winner = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await readSecret(folder) : undefined;
    if (winner) return winner;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
