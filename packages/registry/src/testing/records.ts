// Changes as the rules would make them, for tests that write to a store directly.
import assert from 'node:assert/strict';
import type { Change, ChangeSet, Instance, ServiceDefinition } from '@reg/schema';
import type { InstanceKey, Store } from '../store.ts';

export function service(
  name: string,
  more: Pick<ServiceDefinition, 'formerUrls' | 'policy' | 'wanted'> = {},
): Change {
  const url = `/${name.replace(' ', '-')}`;
  const definition = { name, url, authorizedRoles: [], access: 'token' as const };
  return { kind: 'service-updated', service: { ...definition, ...more } };
}

function instance(id: string, generation: number): Instance {
  return {
    instanceId: id,
    generation,
    state: 'up',
    endpoints: [{ type: 'http', url: `http://${id}.test` }],
    lease: { ttlMs: 10_000 },
    runId: `run-${generation}`,
    registeredAt: 0,
  };
}

/** A service and an instance that joins it, in one. */
export function joined(name: string, id: string, generation = 1): Change[] {
  return [service(name), { kind: 'instance-registered', service: name, instance: instance(id, generation) }];
}

/** Writes where nobody else does, so that it cannot be raced. */
export async function write(
  store: Store,
  changes: readonly Change[],
  replaces: ReadonlyMap<InstanceKey, number>,
  now: number,
): Promise<ChangeSet> {
  const written = await store.write(changes, replaces, now);
  assert.ok(written !== 'raced', 'nobody else writes, so nothing races');
  return written;
}
