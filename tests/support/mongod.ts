// A real mongod: found, started on a free port in a folder of its own, and gone with that folder.
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { mongo } from 'mongoose';
import { eventually } from './eventually.ts';
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
export async function startMongod(more: readonly string[] = []): Promise<Mongod> {
  const folder = await mkdtemp(join(tmpdir(), 'reg-mongod-'));
  try {
    return await startMember(await programIn(folder), folder, more);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

export interface ReplicaSet extends AsyncDisposable {
  /** `mongodb://127.0.0.1:PORT,…/?replicaSet=rs`, without a database. */
  readonly url: string;
  /** Of a database in it. */
  urlOf(database: string): string;
  readonly members: readonly Mongod[];
}

/** As many members as asked for, one of them primary already. */
export async function startReplicaSet({ members: count = 1 } = {}): Promise<ReplicaSet> {
  const folder = await mkdtemp(join(tmpdir(), 'reg-mongod-'));
  const members: Mongod[] = [];
  const dispose = async () => {
    await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const program = await programIn(folder);
    for (let index = 0; index < count; index++) {
      members.push(await startMember(program, join(folder, `member-${index}`), ['--replSet', 'rs']));
    }
    const hosts = members.map(({ url }) => url.replace('mongodb://', ''));
    await initiate(hosts);
    const urlOf = (database: string) => `mongodb://${hosts.join(',')}/${database}?replicaSet=rs`;
    return { url: urlOf(''), urlOf, members, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function initiate(hosts: readonly string[]): Promise<void> {
  const client = new mongo.MongoClient(`mongodb://${hosts[0]}/?directConnection=true`);
  try {
    const admin = client.db('admin');
    const members = hosts.map((host, _id) => ({ _id, host }));
    const settings = { electionTimeoutMillis: 2_000 };
    await admin.command({ replSetInitiate: { _id: 'rs', members, settings } });
    await eventually(
      () => admin.command({ hello: 1 }),
      ({ primary }) => primary !== undefined,
      { withinMs: 60_000 },
    );
  } finally {
    await client.close();
  }
}

async function startMember(program: string, folder: string, more: readonly string[] = []): Promise<Mongod> {
  await mkdir(join(folder, 'data'), { recursive: true });
  const port = await freePort();
  const process = await startProcess(program, [
    ...['--dbpath', join(folder, 'data'), '--port', String(port), '--bind_ip', '127.0.0.1'],
    ...['--wiredTigerCacheSizeGB', '0.25', '--nounixsocket', ...more],
  ]);
  const dispose = async () => {
    await process[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  await process.printed(/Waiting for connections/, { withinMs: 60_000 }).catch(async (error) => {
    await dispose();
    throw error;
  });
  return { url: `mongodb://127.0.0.1:${port}`, process, [Symbol.asyncDispose]: dispose };
}

async function programIn(folder: string): Promise<string> {
  return installedMongod() ?? (await unpackInto(folder));
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
