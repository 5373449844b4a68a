// One pool per origin, shared by every upstream that names it, closed when the last one is gone.
import type { ConnectionRules } from './connection.ts';
import { type ConnectionPool, createConnectionPool } from './connection-pool.ts';

export interface ConnectionPools {
  acquire(origin: string): ConnectionPool;
  /** Each `acquire` has one. What is in flight finishes. */
  release(pool: ConnectionPool): void;
  /** Ends every connection. */
  destroy(): void;
}

export function createConnectionPools(rules: ConnectionRules): ConnectionPools {
  const pools = new Map<string, { readonly pool: ConnectionPool; users: number }>();
  return {
    acquire(origin) {
      let entry = pools.get(origin);
      if (!entry) {
        entry = { pool: createConnectionPool(origin, rules), users: 0 };
        pools.set(origin, entry);
      }
      entry.users++;
      return entry.pool;
    },
    release(pool) {
      const entry = pools.get(pool.origin);
      if (!entry || --entry.users > 0) return;
      pools.delete(pool.origin);
      pool.retire();
    },
    destroy() {
      for (const { pool } of pools.values()) pool.destroy();
    },
  };
}
