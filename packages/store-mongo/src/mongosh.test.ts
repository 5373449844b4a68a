// The lines of the original series, typed as they stand there into the shell that operators have.
import { createRegistry } from '@reg/registry';
import { afterAll, beforeAll, expect } from 'vitest';
import { freshName, serverKinds, test, useServers } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { type Mongosh, openMongosh } from '../../../tests/support/mongosh.ts';
import { openMongoStore } from './mongo-store.ts';

const urlOn = useServers(...serverKinds);
let mongosh: Mongosh;

beforeAll(async () => {
  mongosh = await openMongosh();
}, 120_000);

afterAll(() => mongosh?.[Symbol.asyncDispose]());

const insert = `db.services.insert({
  name: 'Tickets Query Service',
  url: '/tickets',
  endpoints: [{ type: 'http-get', url: 'http://127.0.0.1:3001/tickets' }],
  authorizedRoles: ['tickets-query']
})`;
const remove = `db.services.remove({name: 'Tickets Query Service'})`;

test.for(serverKinds)(
  'insert lists the service, remove takes it away, in a database of any name (%s)',
  async (server) => {
    const url = urlOn(server, `TicketSeries_${freshName()}`);
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
