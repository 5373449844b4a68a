// For the tests of those who use the registry: a real one over HTTP, whose time only goes on when told to.
import { type ListedInstance, regError } from '@reg/schema';
import { createRegistryServer } from '../http/server.ts';
import { createMemoryStore } from '../memory-store.ts';
import { createRegistry, type Registry } from '../registry.ts';
import { deafTo, type ListedRun } from './deaf-to.ts';
import { createDoor } from './door.ts';
import { createFakeClock } from './fake-clock.ts';

/** A third of the shortest lease (1 s), as clients renew. */
const renewEveryMs = 300;

/** The real rules and the real HTTP API on a free port of loopback, over a store in memory. */
export interface TestRegistry extends AsyncDisposable {
  /** For `register({ registry })`, `discover`, `reg` and gateways: `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Instances listed under a service's name; none where there is no such service. */
  instances(service: string): readonly ListedInstance[];
  /**
   * Moves the registry's clock, which otherwise stands still; nobody waits. Clients renew by the real
   * clock, so meanwhile leases are renewed in the name of all but the killed, and of nobody while
   * partitioned. Leases that end are gone within a second of that clock.
   */
  advance(byMs: number): Promise<void>;
  /**
   * To the registry and its readers it is as if the process of this instance were ended by `kill -9`: it
   * stays listed until its lease has ended with the clock. What the run says from now on is answered and
   * changes nothing; a new run of the same id is heard. The process itself is not touched, and its port
   * answers on. Without a lease it stays listed.
   * @throws `instance_not_found`
   */
  kill(instanceId: string): void;
  /** As an operator's drain: it stays listed as `draining`. @throws `instance_not_found` */
  drain(instanceId: string): Promise<void>;
  /** Nothing gets through to the registry any more, nor back: connections are taken and never answered. */
  partition(): void;
  /** Ends the partition: connections of before are reset, new ones are answered. */
  heal(): void;
  close(): Promise<void>;
}

export async function createTestRegistry(): Promise<TestRegistry> {
  const clock = createFakeClock();
  const registry = createRegistry({ store: createMemoryStore({ clock }), clock });
  const dead: ListedRun[] = [];
  const heard = deafTo(dead, registry);
  const server = await createRegistryServer({ registry: heard, port: 0 });
  const door = await createDoor(server.port);
  let partitioned = false;
  let closed: Promise<void> | undefined;

  async function close(): Promise<void> {
    await door.close();
    await server.close();
    await registry.close();
  }

  const closeOnce = () => {
    closed ??= close();
    return closed;
  };

  return {
    url: `http://127.0.0.1:${door.port}`,
    instances(service) {
      return registry.listServices().services.find(({ name }) => name === service)?.instances ?? [];
    },
    async advance(byMs) {
      for (let leftMs = byMs; leftMs > 0; leftMs -= renewEveryMs) {
        if (!partitioned) await heard.renewMany(listedRuns(registry));
        await clock.advance(Math.min(leftMs, renewEveryMs));
      }
    },
    kill(instanceId) {
      dead.push(...named(registry, instanceId));
    },
    async drain(instanceId) {
      for (const one of named(registry, instanceId)) await registry.drain(one, { force: true });
    },
    partition() {
      partitioned = true;
      door.shut();
    },
    heal() {
      partitioned = false;
      door.open();
    },
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

function listedRuns(registry: Registry): ListedRun[] {
  return registry.listServices().services.flatMap(({ name, instances }) =>
    instances.map(({ instanceId, runId, generation, leaseUntil }) => ({
      service: name,
      id: instanceId,
      runId,
      generation,
      leaseUntil,
    })),
  );
}

/** One process may serve several services at one address, so under one id. @throws `instance_not_found` */
function named(registry: Registry, instanceId: string): ListedRun[] {
  const runs = listedRuns(registry).filter(({ id }) => id === instanceId);
  if (runs.length === 0) throw regError('instance_not_found', `no instance ${instanceId} is listed`);
  return runs;
}
