import type { Instance } from '@reg/schema';
import { expect, test } from 'vitest';
import { type Documents, findInconsistencies } from './inconsistencies.ts';

const definition = (name: string, more: object = {}) => ({
  _id: name,
  url: `/${name}`,
  authorizedRoles: [],
  access: 'token' as const,
  path: `/${name}`,
  slug: name,
  write: 'w1',
  at: 0,
  ...more,
});

const instance = (instanceId: string, port: number, generation = 1): Instance => ({
  instanceId,
  generation,
  state: 'up',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  lease: 'none',
  registeredAt: 0,
});

const listed = (service: string, one: Instance) => ({ service, instance: one });

const good: Documents = {
  definitions: [definition('tickets'), definition('orders')],
  undefinedServices: [],
  instances: [listed('tickets', instance('a', 3001)), listed('orders', instance('a', 3001))],
};

test('one process may serve two services: nothing is found', () => {
  expect(findInconsistencies(good)).toEqual([]);
});

test.each<[string, Partial<Documents>, object]>([
  [
    'a definition whose path is another',
    { definitions: [definition('tickets', { path: '/else' })] },
    { collection: 'definitions', id: 'tickets', path: 'path' },
  ],
  [
    'a definition whose slug is another',
    { definitions: [definition('tickets', { slug: 'else' })] },
    { collection: 'definitions', id: 'tickets', path: 'slug' },
  ],
  [
    'a definition without a path at all',
    { definitions: [definition('tickets', { url: 7 })] },
    { collection: 'definitions', id: 'tickets', path: 'url' },
  ],
  [
    'a service that is nowhere defined',
    { undefinedServices: [{ name: 'billing', url: '/billing', authorizedRoles: [], access: 'token' }] },
    { collection: 'definitions', id: 'billing', path: '' },
  ],
  [
    'an address that two instances have',
    { instances: [listed('tickets', instance('a', 3001)), listed('orders', instance('b', 3001))] },
    { collection: 'services', id: 'orders/b', path: 'endpoints.0.url' },
  ],
])('%s', (_what, wrong, finding) => {
  expect(findInconsistencies({ ...good, ...wrong })).toMatchObject([finding]);
});
