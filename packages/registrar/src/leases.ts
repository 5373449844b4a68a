// Keeps the leases of all that is listed as ours, a thousand with one request: one by one, ten thousand instances
// would be thousands of requests a second.
import type { RegistryCaller } from './registry-access.ts';
import type { Listing } from './sources/registry.ts';
import { tellOnce } from './tell-once.ts';

const perRequest = 1_000;
/** A registry that was restarted must not be without us for long. */
const longestMs = 5_000;
const againMs = 500;

interface Parts {
  readonly caller: RegistryCaller;
  readonly listing: Listing;
  readonly owner: string;
  readonly leaseMs: number;
  readonly log: (line: string) => void;
}

export function keepLeases({ caller, listing, owner, leaseMs, log }: Parts): { close(): void } {
  const tell = tellOnce(log, 'leases', 'renewed again');
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function turn(): Promise<void> {
    let nextMs = Math.min(leaseMs / 3, longestMs) * (0.8 + Math.random() / 5);
    try {
      await renewAll();
      tell(undefined);
    } catch (error) {
      tell((error as Error).message);
      nextMs = againMs;
    }
    if (!closed) timer = setTimeout(turn, nextMs);
  }

  async function renewAll(): Promise<void> {
    const held = [...listing.services].flatMap(([service, { instances }]) =>
      [...instances.values()].flatMap((one) =>
        one.owner === owner && one.lease !== 'none'
          ? [{ service, id: one.instanceId, generation: one.generation }]
          : [],
      ),
    );
    for (let first = 0; first < held.length && !closed; first += perRequest) {
      const renewals = held.slice(first, first + perRequest);
      const { results } = await caller.ask('renewMany', { body: { renewals } });
      // Who is not there any more, or was replaced, the listing says too, and `reconcile` decides.
      const refused = results
        .filter((one) => 'code' in one)
        .find(({ code }) => code === 'not_permitted' || code === 'instance_foreign');
      if (refused) throw new Error(`${refused.service} ${refused.id}: ${refused.code}: ${refused.detail}`);
    }
  }

  timer = setTimeout(turn, againMs);
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
