// The two kinds of server that the store runs on, for tests that run on each of them.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, test } from 'vitest';
import { hasMongod, type Mongod, type ReplicaSet, startMongod, startReplicaSet } from './mongod.ts';
import { skipWithout } from './part.ts';

export const serverKinds = ['replica set', 'standalone'] as const;
export type ServerKind = (typeof serverKinds)[number];

export const testWithMongod = test.skipIf(skipWithout('mongod', hasMongod));

export function freshName(): string {
  return `reg-${randomBytes(4).toString('hex')}`;
}

/**
 * One of each, there before the tests of the file that calls it and gone after them.
 * @returns the URL of a database on one of them, by default of one that nobody has used
 */
export function useServers(): (kind: ServerKind, database?: string) => string {
  let replicaSet: ReplicaSet;
  let standalone: Mongod;
  beforeAll(async () => {
    [replicaSet, standalone] = await Promise.all([startReplicaSet(), startMongod()]);
  }, 120_000);
  afterAll(async () => {
    await replicaSet?.[Symbol.asyncDispose]();
    await standalone?.[Symbol.asyncDispose]();
  });
  return (kind, database = freshName()) =>
    kind === 'replica set' ? replicaSet.urlOf(database) : `${standalone.url}/${database}`;
}
