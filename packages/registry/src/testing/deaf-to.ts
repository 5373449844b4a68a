// A registry that is deaf to some runs. They are answered as if they had been heard: a client that learned
// the truth would log, try again and come back, and a killed process does none of these.
import type { Registry, RenewalRequest } from '../registry.ts';
import type { InstanceName } from '../store.ts';
import type { Writer } from '../writer.ts';

export interface ListedRun extends InstanceName {
  readonly runId: string | undefined;
  readonly generation: number;
  readonly leaseUntil: number | null;
}

interface NamedRun {
  readonly runId?: string | undefined;
  readonly generation?: number | undefined;
}

/** @param dead read at each word, so it may grow. An operator's `force` is heard: it names no run. */
export function deafTo(dead: readonly ListedRun[], registry: Registry): Registry {
  const find = (name: InstanceName, run: NamedRun) => dead.find((one) => isSameRun(one, name, run));

  async function renewOne(renewal: RenewalRequest, writer: Writer | undefined) {
    const { service, id } = renewal;
    const run = find(renewal, renewal);
    if (run) return { service, id, leaseUntil: run.leaseUntil };
    const { results } = await registry.renewMany([renewal], writer);
    return results;
  }

  return {
    ...registry,
    async register(name, body, options) {
      const run = find(name, body);
      if (!run) return registry.register(name, body, options);
      const { generation, leaseUntil } = run;
      return { instanceId: name.id, generation, leaseUntil, ...registry.position(), created: false };
    },
    async renew(name, generation, options) {
      const run = find(name, { generation });
      return run ? { leaseUntil: run.leaseUntil } : registry.renew(name, generation, options);
    },
    async renewMany(renewals, writer) {
      return { results: (await Promise.all(renewals.map((one) => renewOne(one, writer)))).flat() };
    },
    async drain(name, run, options) {
      return find(name, run) ? registry.position() : registry.drain(name, run, options);
    },
    async unregister(name, run, options) {
      return find(name, run) ? registry.position() : registry.unregister(name, run, options);
    },
  };
}

/** A later run in the same place has another name and another generation: it is heard. */
function isSameRun(dead: ListedRun, { service, id }: InstanceName, { runId, generation }: NamedRun): boolean {
  if (dead.service !== service || dead.id !== id) return false;
  return generation === dead.generation || (runId !== undefined && runId === dead.runId);
}
