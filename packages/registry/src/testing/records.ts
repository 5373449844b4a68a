// Changes as the rules would make them, for tests that write to a store directly.
import type { Change, Instance } from '@reg/schema';

export function service(name: string, formerUrls?: string[]): Change {
  const definition = { name, url: `/${name}`, authorizedRoles: [], access: 'token' as const };
  return { kind: 'service-updated', service: { ...definition, ...(formerUrls && { formerUrls }) } };
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
