import { type OperationName, operationPath, operations } from '@reg/schema';
import { expect, test } from 'vitest';
import { createHotRoutes } from './hot-routes.ts';

const names = Object.keys(operations) as OperationName[];
const routeOf = createHotRoutes(names);
const parameters = { service: 'Tickets/Query 100 %', id: '127.0.0.1-3001' };

test.each(names)('%s is found by its method and path, its parameters as they were named', (name) => {
  const route = routeOf(operations[name].method, operationPath(name, parameters));
  expect(route?.name).toBe(name);
  expect(operationPath(name, route?.parameters)).toBe(operationPath(name, parameters));
});

test.each([
  ['HEAD', '/v1/services'],
  ['PATCH', '/v1/services'],
  ['get', '/v1/services'],
  [undefined, '/v1/services'],
  ['GET', ''],
  ['GET', 'v1/health'],
  ['GET', '/V1/health'],
  ['GET', '/v1/health/'],
  ['GET', '/v1//health'],
  ['GET', '/v1/%68ealth'], // one spelling, so that nobody in front reads another path than we do
  ['GET', '/v1/services/'],
  ['PUT', '/v1/services//instances/b'],
  ['PUT', '/v1/services/a/instances/b/'],
  ['PUT', '/v1/services/a/instances/b/lease/more'],
  ['PUT', '/v1/services/a/other/b'],
])('%s %j is left to Express', (method, path) => {
  expect(routeOf(method, path)).toBeUndefined();
});

test('a parameter that cannot be decoded is malformed_request', () => {
  expect(() => routeOf('GET', '/v1/services/%ff')).toThrow(
    expect.objectContaining({ code: 'malformed_request' }),
  );
});
