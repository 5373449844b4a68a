import type { Change, ChangeSet, ServiceDefinition } from '@reg/schema';
import { expect, test } from 'vitest';
import { createDefinitionsUnderWay } from './definitions-under-way.ts';

const definitionOf = (name: string): ServiceDefinition => ({
  name,
  url: `/${name}`,
  authorizedRoles: [],
  access: 'token',
});

const defines = (name: string): Change => ({ kind: 'service-updated', service: definitionOf(name) });

const joins = (service: string): Change => ({
  kind: 'instance-unregistered',
  service,
  instanceId: 'a',
  generation: 1,
});

/** A write that ends when it is told to. */
function openWrite() {
  let succeed = (_: ChangeSet) => {};
  let fail = (_: Error) => {};
  const written = new Promise<ChangeSet>((resolve, reject) => {
    succeed = resolve;
    fail = reject;
  });
  return { written, succeed: () => succeed({ revision: 1, at: 0, changes: [] }), fail };
}

test('who joins a service that is being defined decides again once that is over, others go ahead', async () => {
  const definitions = createDefinitionsUnderWay();
  const { written, succeed } = openWrite();
  definitions.begin([defines('tickets'), joins('tickets')], written);
  const waiting = definitions.underWay([joins('tickets')]);
  expect(definitions.underWay([joins('flights')])).toBeUndefined();
  succeed();
  expect(await waiting).toBe('raced');
  expect(definitions.underWay([joins('tickets')])).toBeUndefined();
});

test('a write that only joins holds up nobody', () => {
  const definitions = createDefinitionsUnderWay();
  definitions.begin([joins('tickets')], openWrite().written);
  expect(definitions.underWay([defines('tickets')])).toBeUndefined();
});

test('where the definition fails, who waits for it fails with it, and the next one may try', async () => {
  const definitions = createDefinitionsUnderWay();
  const { written, fail } = openWrite();
  definitions.begin([defines('tickets')], written);
  const waiting = definitions.underWay([defines('tickets')]);
  fail(new Error('away'));
  await expect(waiting).rejects.toThrow('away');
  expect(definitions.underWay([defines('tickets')])).toBeUndefined();
});
