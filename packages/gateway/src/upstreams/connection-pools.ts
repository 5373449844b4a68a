// One pool per origin and patience, shared by every upstream that names it, closed when the last one is gone.
import type { ConnectionRules } from './connection.ts';
import { type ConnectionPool, createConnectionPool } from './connection-pool.ts';

export interface ConnectionPools {
  /** @param connectTimeoutMs @default as the rules have it */
  acquire(origin: string, connectTimeoutMs?: number): ConnectionPool;
  /** Each `acquire` has one. What is in flight finishes. */
  release(pool: ConnectionPool): void;
  /** Ends every connection. */
  destroy(): void;
}

export function createConnectionPools(rules: ConnectionRules): ConnectionPools {
  const pools = new Map<string, { readonly pool: ConnectionPool; users: number }>();
  return {
    acquire(origin, connectTimeoutMs = rules.connectTimeoutMs) {
      const key = keyOf({ origin, connectTimeoutMs });
      let entry = pools.get(key);
      if (!entry) {
        entry = { pool: createConnectionPool(origin, { ...rules, connectTimeoutMs }), users: 0 };
        pools.set(key, entry);
      }
      entry.users++;
      return entry.pool;
    },
    release(pool) {
      const entry = pools.get(keyOf(pool));
      if (!entry || --entry.users > 0) return;
      pools.delete(keyOf(pool));
      pool.retire();
    },
    destroy() {
      for (const { pool } of pools.values()) pool.destroy();
    },
  };
}

function keyOf({ origin, connectTimeoutMs }: Pick<ConnectionPool, 'origin' | 'connectTimeoutMs'>): string {
  return `${origin} ${connectTimeoutMs}`;
}
