// Which gateways follow us, and how far each has come: who leaves waits until all of them know.
import { type Position, regError } from '@reg/schema';
import type { Clock } from './clock.ts';

/** A gateway whose watch broke comes back within this, or counts as gone. */
const lingerMs = 2_000;

interface Gateway {
  /** Watches open now. */
  watches: number;
  /** It watched, now or less than `lingerMs` ago; a report alone does not make it connected. */
  connected: boolean;
  applied?: Position;
  /** Calls off its being forgotten. */
  stay?: () => void;
}

interface Wait {
  readonly position: Position;
  readonly missing: Set<string>;
  readonly done: () => void;
}

export interface Gateways {
  /** @returns closes the watch. @throws `limit_reached` */
  opened(id: string): () => void;
  /** @throws `limit_reached` */
  reported(id: string, position: Position): void;
  /** Waits until every gateway connected now has applied `position`. @returns those that had not at the limit */
  waitFor(position: Position, limitMs: number): Promise<string[]>;
  connected(): { id: string; applied: Position | undefined }[];
  /** Ends every wait. */
  close(): void;
}

export function createGateways(clock: Clock, { limit = 1_000 } = {}): Gateways {
  const gateways = new Map<string, Gateway>();
  const waits = new Set<Wait>();

  function enter(id: string): Gateway {
    const known = gateways.get(id);
    if (known) return known;
    if (gateways.size >= limit)
      throw regError('limit_reached', `${limit} gateways are known, which is the limit`);
    const gateway: Gateway = { watches: 0, connected: false };
    gateways.set(id, gateway);
    return gateway;
  }

  function forgetLater(id: string, gateway: Gateway): void {
    gateway.stay?.();
    gateway.stay = clock.after(lingerMs, () => {
      gateways.delete(id);
      for (const wait of waits) settle(wait, id);
    });
  }

  function settle(wait: Wait, id: string): void {
    wait.missing.delete(id);
    if (wait.missing.size === 0) wait.done();
  }

  return {
    opened(id) {
      const gateway = enter(id);
      gateway.stay?.();
      gateway.watches += 1;
      gateway.connected = true;
      let open = true;
      return () => {
        if (!open) return;
        open = false;
        gateway.watches -= 1;
        if (gateway.watches === 0) forgetLater(id, gateway);
      };
    },
    reported(id, position) {
      const gateway = enter(id);
      gateway.applied = position;
      if (!gateway.connected) forgetLater(id, gateway);
      for (const wait of waits) if (hasApplied(position, wait.position)) settle(wait, id);
    },
    waitFor(position, limitMs) {
      const behind = [...gateways].filter(([, one]) => one.connected && !hasApplied(one.applied, position));
      const missing = new Set(behind.map(([id]) => id));
      if (missing.size === 0 || limitMs === 0) return Promise.resolve([...missing]);
      return new Promise((resolve) => {
        const done = () => {
          callOff();
          waits.delete(wait);
          resolve([...missing]);
        };
        const callOff = clock.after(limitMs, done);
        const wait: Wait = { position, missing, done };
        waits.add(wait);
      });
    },
    connected() {
      const all = [...gateways].filter(([, { connected }]) => connected);
      return all.map(([id, { applied }]) => ({ id, applied }));
    },
    close() {
      for (const wait of waits) wait.done();
      for (const { stay } of gateways.values()) stay?.();
      gateways.clear();
    },
  };
}

function hasApplied(applied: Position | undefined, wanted: Position): boolean {
  return applied !== undefined && applied.epoch === wanted.epoch && applied.revision >= wanted.revision;
}
