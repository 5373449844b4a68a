// A mongod of its own, a replica set of one member, gone with its folder: whatever runs against it in one bench
// shares it. It is what `MONGOD` names, else the one packed in `../shared/mongodb`, else the PATH's.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mongo } from 'mongoose';
import { freePort } from '../support/free-port.mjs';

const unpack = fileURLToPath(new URL('../../../shared/mongodb/unpack', import.meta.url));

/** @returns {Promise<{ pid: number, urlOf: (database: string) => string, stop: () => Promise<void> }>} */
export async function startReplicaSet() {
  const folder = await mkdtemp(join(tmpdir(), 'reg-bench-mongod-'));
  const port = await freePort();
  const child = spawn(
    programIn(folder),
    [
      ...['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket'],
      ...['--wiredTigerCacheSizeGB', '0.5', '--replSet', 'rs'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const listens = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('Waiting for connections')) resolve();
    });
  });
  const ended = once(child, 'exit');
  await Promise.race([listens, ended.then(() => Promise.reject(new Error('mongod did not start')))]);
  await initiate(`127.0.0.1:${port}`);
  return {
    pid: child.pid,
    urlOf: (database) => `mongodb://127.0.0.1:${port}/${database}?replicaSet=rs`,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      process.off('exit', kill);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function programIn(folder) {
  if (process.env.MONGOD) return process.env.MONGOD;
  if (!existsSync(unpack)) return 'mongod';
  return execFileSync(unpack, [folder], { encoding: 'utf8' }).trim();
}

async function initiate(host) {
  const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
  const admin = client.db('admin');
  await admin.command({ replSetInitiate: { _id: 'rs', members: [{ _id: 0, host }] } });
  for (let isPrimary = false; !isPrimary; ) {
    ({ isWritablePrimary: isPrimary } = await admin.command({ hello: 1 }));
  }
  await client.close();
}
