// A real mongod: found, started on a free port in a folder of its own, and gone with that folder.
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { sharedFolder } from './part.ts';
import { type StartedProcess, startProcess } from './process.ts';

/** Writes `FOLDER/mongod`. */
const unpack = join(sharedFolder, 'mongodb', 'unpack');

export const hasMongod = installedMongod() !== undefined || existsSync(unpack);

export interface Mongod extends AsyncDisposable {
  /** `mongodb://127.0.0.1:PORT`, without a database. */
  readonly url: string;
  readonly process: StartedProcess;
}

/** A standalone server. Where it comes from: `MONGOD` in the environment, the PATH, the shared parts. */
export async function startMongod(): Promise<Mongod> {
  const folder = await mkdtemp(join(tmpdir(), 'reg-mongod-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const program = installedMongod() ?? (await unpackInto(folder));
    await mkdir(join(folder, 'data'));
    const port = await freePort();
    const process = await startProcess(program, [
      ...['--dbpath', join(folder, 'data'), '--port', String(port), '--bind_ip', '127.0.0.1'],
      ...['--wiredTigerCacheSizeGB', '0.25', '--nounixsocket'],
    ]);
    const dispose = async () => {
      await process[Symbol.asyncDispose]();
      await remove();
    };
    await process.printed(/Waiting for connections/, { withinMs: 60_000 }).catch(async (error) => {
      await dispose();
      throw error;
    });
    return { url: `mongodb://127.0.0.1:${port}`, process, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function unpackInto(folder: string): Promise<string> {
  const { stdout } = await promisify(execFile)(unpack, [folder]);
  return stdout.trim();
}

function installedMongod(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'mongod'));
  return [process.env.MONGOD ?? '', ...onPath].find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return path !== '';
  } catch {
    return false;
  }
}
