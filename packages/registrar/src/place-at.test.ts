import { expect, test } from 'vitest';
import { placeAt } from './place-at.ts';
import { fillIn } from './policies/policy-file.ts';

// Story: of instances that register themselves the host was kept with its brackets, and a command check got
// `http://[[::1]]:3001`.
test('the place of an IPv6 address fills in to that address', () => {
  expect(placeAt('http://[::1]:3001/tickets')).toEqual({ host: '::1', port: 3001 });
  const place = { ...placeAt('http://[::1]:3001/tickets'), instance: 'one' };
  expect(fillIn('http://{host}:{port}/health', place)).toBe('http://[::1]:3001/health');
});

test('a port that the scheme implies is none', () => {
  expect(placeAt('http://tickets.internal/')).toEqual({ host: 'tickets.internal', port: undefined });
});
