import { type OperationName, operationPath, operations } from '@reg/schema';
import { expect, test } from 'vitest';
import { createRoutes } from './routes.ts';

const names = Object.keys(operations) as OperationName[];
const routeOf = createRoutes(names);
const parameters = { service: 'Tickets/Query 100 %', id: '127.0.0.1-3001' };

test.each(names)('%s is found by its method and path, its parameters as they were named', (name) => {
  const route = routeOf(operationPath(name, parameters));
  expect(route?.operations.get(operations[name].method)).toBe(name);
  expect(operationPath(name, route?.parameters)).toBe(operationPath(name, parameters));
});

test('what answers GET answers HEAD, and a path has the methods of all its operations', () => {
  const methodsOf = (path: string) => [...(routeOf(path)?.operations.keys() ?? [])];
  expect(methodsOf('/v1/services')).toEqual(['GET', 'HEAD']);
  expect(methodsOf('/v1/services/a/instances/b')).toEqual(['PUT', 'DELETE']);
});

test.each([
  '',
  'v1/health',
  '/V1/health',
  '/v1/health/',
  '/v1//health',
  '/v1/%68ealth', // one spelling, so that nobody in front reads another path than we do
  '/v1/services/',
  '/v1/services//instances/b',
  '/v1/services/a/instances/b/',
  '/v1/services/a/instances/b/lease/more',
  '/v1/services/a/other/b',
])('nothing is at %j', (path) => {
  expect(routeOf(path)).toBeUndefined();
});

test('a parameter that cannot be decoded is malformed_request', () => {
  expect(() => routeOf('/v1/services/%ff')).toThrow(expect.objectContaining({ code: 'malformed_request' }));
});

test('only what has a handler has a route', () => {
  expect(createRoutes(['health'])('/v1/services')).toBeUndefined();
});
