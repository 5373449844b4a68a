// The lines of the original series, typed as they stand there into the shell that operators have.
import { randomBytes } from 'node:crypto';
import { createRegistry } from '@reg/registry';
import { afterAll, test as anywhere, beforeAll, expect } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import {
  hasMongod,
  type Mongod,
  type ReplicaSet,
  startMongod,
  startReplicaSet,
} from '../../../tests/support/mongod.ts';
import { type Mongosh, openMongosh } from '../../../tests/support/mongosh.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import { openMongoStore } from './mongo-store.ts';

const test = anywhere.skipIf(skipWithout('mongod', hasMongod));

const servers = ['replica set', 'standalone'] as const;
let replicaSet: ReplicaSet;
let standalone: Mongod;
let mongosh: Mongosh;

beforeAll(async () => {
  [replicaSet, standalone, mongosh] = await Promise.all([startReplicaSet(), startMongod(), openMongosh()]);
}, 120_000);

afterAll(async () => {
  for (const opened of [replicaSet, standalone, mongosh]) await opened?.[Symbol.asyncDispose]();
});

const insert = `db.services.insert({
  name: 'Tickets Query Service',
  url: '/tickets',
  endpoints: [{ type: 'http-get', url: 'http://127.0.0.1:3001/tickets' }],
  authorizedRoles: ['tickets-query']
})`;
const remove = `db.services.remove({name: 'Tickets Query Service'})`;

test.for(servers)(
  'insert lists the service, remove takes it away, in a database of any name (%s)',
  async (server) => {
    const name = `TicketSeries_${randomBytes(4).toString('hex')}`;
    const url = server === 'replica set' ? replicaSet.urlOf(name) : `${standalone.url}/${name}`;
    const store = await openMongoStore({ url, log: () => {} });
    const registry = createRegistry({ store });
    try {
      const services = () => registry.listServices().services;
      expect(await mongosh.evaluate(url, insert)).toContain('acknowledged: true');
      const [listed] = await eventually(services, ({ length }) => length === 1);
      expect(listed).toMatchObject({
        name: 'Tickets Query Service',
        url: '/tickets',
        authorizedRoles: ['tickets-query'],
        instances: [{ state: 'up', lease: 'none', leaseUntil: null }],
      });
      expect(await mongosh.evaluate(url, remove)).toContain('deletedCount: 1');
      await eventually(services, ({ length }) => length === 0);
      expect(store.invalid()).toEqual([]);
    } finally {
      await registry.close();
    }
  },
);
