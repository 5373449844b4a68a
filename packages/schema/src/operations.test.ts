import { expect, test } from 'vitest';
import { contract } from './contract.ts';
import { operationPath, operations } from './operations.ts';

test('contract and operations name the same operations, and the contract adds to them', () => {
  expect(Object.keys(contract).sort()).toEqual(Object.keys(operations).sort());
  for (const [name, operation] of Object.entries(operations)) {
    expect(contract[name as keyof typeof contract]).toMatchObject(operation);
  }
});

test('names go into a path percent-encoded, and what is undefined stays out of the query', () => {
  const path = operationPath(
    'drain',
    { service: 'A/B ü', id: 'h-1' },
    { runId: 'r', reason: undefined, wait: '1s' },
  );
  expect(path).toBe('/v1/services/A%2FB%20%C3%BC/instances/h-1/drain?runId=r&wait=1s');
});

test('a missing parameter is a programming error', () => {
  expect(() => operationPath('renew', { service: 'a' })).toThrow('renew needs the parameter id');
});

test('drain and unregister name exactly one run', () => {
  const { query } = contract.unregister;
  expect(query.safeParse({}).success).toBe(false);
  expect(query.safeParse({ runId: 'r', force: 'true' }).success).toBe(false);
  expect(query.parse({ generation: '7' })).toEqual({ generation: 7 });
});

test('a wait is a duration, bounded', () => {
  expect(contract.register.query.parse({ waitFor: 'gateways', wait: '5s' })).toEqual({
    waitFor: 'gateways',
    wait: 5000,
  });
  const waitFor = 'gateways';
  expect(contract.register.query.safeParse({ waitFor, wait: '60s' }).success).toBe(true);
  expect(contract.register.query.safeParse({ waitFor, wait: '2h' }).success).toBe(false);
  expect(contract.register.query.safeParse({ waitFor, wait: '5' }).success).toBe(false);
});

test('a wait says for what', () => {
  expect(contract.register.query.safeParse({ wait: '5s' }).success).toBe(false);
  expect(contract.drain.query.safeParse({ force: 'true', wait: '5s' }).success).toBe(false);
  expect(contract.listServices.query.safeParse({ wait: '5s' }).success).toBe(false);
  const seen = { epoch: 'e', revision: 1 };
  expect(contract.listServices.query.parse({ after: 'e.1', wait: '5s' })).toEqual({
    after: seen,
    wait: 5000,
  });
  expect(contract.snapshot.query.parse({ seen: 'e.1' })).toEqual({ seen });
});
