// The servers that the store runs on, for tests that need no more of them than a database.
import { randomBytes } from 'node:crypto';
import { afterAll, test as anywhere, beforeAll } from 'vitest';
import { hasMongod, startMongod, startReplicaSet } from './mongod.ts';
import { skipWithout } from './part.ts';

export const serverKinds = ['replica set', 'standalone'] as const;
export type ServerKind = (typeof serverKinds)[number];

export const test = anywhere.skipIf(skipWithout('mongod', hasMongod));

export function freshName(): string {
  return `reg-${randomBytes(4).toString('hex')}`;
}

const starters = {
  'replica set': startReplicaSet,
  async standalone() {
    const mongod = await startMongod();
    return Object.assign(mongod, { urlOf: (database: string) => `${mongod.url}/${database}` });
  },
} satisfies Record<ServerKind, () => Promise<Server>>;

interface Server extends AsyncDisposable {
  urlOf(database: string): string;
}

/**
 * One of each kind, there before the tests of the file that calls it and gone after them.
 * @returns the URL of a database on one of them, by default of one that nobody has used
 */
export function useServers<Kind extends ServerKind>(
  ...kinds: readonly Kind[]
): (kind: Kind, database?: string) => string {
  const servers = new Map<ServerKind, Server>();
  beforeAll(async () => {
    await Promise.all(kinds.map(async (kind) => servers.set(kind, await starters[kind]())));
  }, 120_000);
  afterAll(async () => {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
  });
  return (kind, database = freshName()) => {
    const server = servers.get(kind);
    if (!server) throw new Error(`no ${kind} runs yet`);
    return server.urlOf(database);
  };
}
