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
  /** The one that runs now, or ran last. */
  readonly process: StartedProcess;
  /** Once its process has ended: another one with the same data, at the same port. */
  restart(): Promise<void>;
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
  /** As the other members say. */
  primary(): Promise<Mongod>;
}

export interface ReplicaSetOptions {
  /** @default 1 */
  readonly members?: number;
  /** Arguments of each. */
  readonly more?: readonly string[];
}

/** As many members as asked for, one of them primary already. */
export async function startReplicaSet({
  members: count = 1,
  more = [],
}: ReplicaSetOptions = {}): Promise<ReplicaSet> {
  const folder = await mkdtemp(join(tmpdir(), 'reg-mongod-'));
  const members: Mongod[] = [];
  const dispose = async () => {
    await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const program = await programIn(folder);
    for (let index = 0; index < count; index++) {
      members.push(await startMember(program, join(folder, `member-${index}`), ['--replSet', 'rs', ...more]));
    }
    const hosts = members.map(({ url }) => url.replace('mongodb://', ''));
    const urlOf = (database: string) => `mongodb://${hosts.join(',')}/${database}?replicaSet=rs`;
    await initiate(hosts);
    await untilWritable(urlOf('admin'));
    const primary = () => primaryOf(urlOf('admin'), members);
    return { url: urlOf(''), urlOf, members, primary, [Symbol.asyncDispose]: dispose };
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

/** Who is elected is not primary at once: it may still be catching up. */
async function untilWritable(url: string): Promise<void> {
  const client = new mongo.MongoClient(url);
  try {
    await client.db().command({ ping: 1 }, { readPreference: 'primary' });
  } finally {
    await client.close();
  }
}

async function primaryOf(url: string, members: readonly Mongod[]): Promise<Mongod> {
  const client = new mongo.MongoClient(url);
  try {
    const { primary } = await client.db().command({ hello: 1 }, { readPreference: 'primary' });
    const member = members.find(({ url }) => url === `mongodb://${primary}`);
    if (!member) throw new Error(`the primary ${primary} is no member`);
    return member;
  } finally {
    await client.close();
  }
}

/**
 * Story: once a minute the server deletes what is older than a day by its own clock. A test whose clock stands at
 * another date lost a tombstone by that, when the server was a minute old just then.
 */
const withoutExpiry = ['--setParameter', 'ttlMonitorEnabled=false'];

async function startMember(program: string, folder: string, more: readonly string[] = []): Promise<Mongod> {
  await mkdir(join(folder, 'data'), { recursive: true });
  const port = await freePort();
  const start = () =>
    startProcess(program, [
      ...['--dbpath', join(folder, 'data'), '--port', String(port), '--bind_ip', '127.0.0.1'],
      ...['--wiredTigerCacheSizeGB', '0.25', '--nounixsocket', ...withoutExpiry, ...more],
    ]);
  const listens = async () => {
    await process.printed(/Waiting for connections/, { withinMs: 60_000 });
  };
  let process = await start();
  const dispose = async () => {
    process.kill('SIGCONT');
    await process[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  await listens().catch(async (error) => {
    await dispose();
    throw error;
  });
  return {
    url: `mongodb://127.0.0.1:${port}`,
    get process() {
      return process;
    },
    async restart() {
      await process.ended;
      process = await start();
      await listens();
    },
    [Symbol.asyncDispose]: dispose,
  };
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
