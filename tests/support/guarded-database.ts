// A database that asks who one is: a replica set of one member, and the users that a registry needs.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mongo } from 'mongoose';
import { startReplicaSet } from './mongod.ts';

const pwd = 'open-sesame-4711';

export interface GuardedDatabase extends AsyncDisposable {
  /** Of the database `reg`, as this user. */
  urlOf(user: string): string;
  /** They may do what a registry does. */
  addUser(name: string): Promise<void>;
  dropUser(name: string): Promise<void>;
}

/** `ada` is there. */
export async function startGuardedDatabase(): Promise<GuardedDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'reg-guarded-'));
  const keyFile = join(folder, 'key'); // members know each other by it, and there are no users without it
  await writeFile(keyFile, randomBytes(48).toString('base64'), { mode: 0o600 });
  const replicaSet = await startReplicaSet({ more: ['--auth', '--keyFile', keyFile] });
  // The first one may be made from this machine without a name; that one makes the others.
  await using nobody = new mongo.MongoClient(replicaSet.urlOf('admin'));
  await nobody.db().command({ createUser: 'root', pwd, roles: ['root'] });

  async function asRoot(command: mongo.Document): Promise<void> {
    await using root = new mongo.MongoClient(replicaSet.urlOf('admin'), {
      auth: { username: 'root', password: pwd },
    });
    await root.db('reg').command(command);
  }

  async function addUser(createUser: string): Promise<void> {
    await asRoot({ createUser, pwd, roles: ['readWrite', 'dbAdmin'] });
  }

  await addUser('ada');
  return {
    urlOf: (user) => replicaSet.urlOf('reg').replace('//', `//${user}:${pwd}@`),
    addUser,
    async dropUser(dropUser) {
      await asRoot({ dropUser });
    },
    async [Symbol.asyncDispose]() {
      await replicaSet[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
