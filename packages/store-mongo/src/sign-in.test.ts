// The database asks who a registry is, and changes its mind.
import { createRegistry } from '@reg/registry';
import type { RegistrationBody } from '@reg/schema';
import { expect } from 'vitest';
import { test } from '../../../tests/support/database-servers.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { startGuardedDatabase } from '../../../tests/support/guarded-database.ts';
import { openMongoStore } from './mongo-store.ts';

const body = (port: number): RegistrationBody => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  authorizedRoles: [],
  lease: { ttlMs: 60_000 },
});

// Story: a user was dropped and made again, with the same password. Connections that were open before were nobody's,
// the driver kept them, and the registry took no write until it was started anew.
test('a user that is dropped and made again is signed in anew, and nothing is lost', async () => {
  await using database = await startGuardedDatabase();
  const lines: string[] = [];
  const store = await openMongoStore({ url: database.urlOf('ada'), log: (line) => lines.push(line) });
  const registry = createRegistry({ store });
  try {
    const { generation } = await registry.register({ service: 'tickets', id: 'one' }, body(3001));
    await database.dropUser('ada');
    await eventually(() => registry.health().reasons.some((reason) => /takes no write: /.test(reason)));
    const refused = registry.register({ service: 'tickets', id: 'two' }, body(3002));
    await expect(refused).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(registry.getService('tickets').instances).toHaveLength(1);

    await database.addUser('ada');
    await eventually(() => registry.register({ service: 'tickets', id: 'two' }, body(3002)), undefined, {
      withinMs: 30_000,
    });
    await registry.renew({ service: 'tickets', id: 'one' }, generation);
    await eventually(() => registry.health().reasons.length === 0);
    expect(registry.getService('tickets').instances).toHaveLength(2);
    expect(lines.at(-1)).toBe('the changes of the database are seen again');
  } finally {
    await registry.close();
  }
}, 60_000);
