// The connections to one origin. Idle ones are a stack: the warm ones go first, the others end by age.
import {
  type Connected,
  type Connection,
  type ConnectionRules,
  connectTo,
  openConnection,
} from './connection.ts';

/** Idle connections kept per origin; a burst above it closes them again. */
const maxIdle = 256;

export interface ConnectionPool {
  readonly origin: string;
  readonly connectTimeoutMs: number;
  /** @param fresh not one that was used before: the last of those failed */
  take(fresh: boolean): Connection;
  /** Its exchange ended well; it may serve the next. */
  give(connection: Connection): void;
  /** Its exchange failed or was cancelled. */
  drop(connection: Connection): void;
  /** A bare connection, which is the caller's alone: of a tunnel. */
  connect(connected: Connected): void;
  /** Closes what is idle now, and the rest when it is given back. */
  retire(): void;
  /** Ends everything. */
  destroy(): void;
}

export function createConnectionPool(origin: string, rules: ConnectionRules): ConnectionPool {
  const idle: Connection[] = [];
  const open = new Set<Connection>();
  let retired = false;

  function forget(connection: Connection): void {
    const at = idle.lastIndexOf(connection);
    if (at === -1) return; // in use: its exchange is told by undici, then it goes
    idle.splice(at, 1);
    drop(connection);
  }

  function drop(connection: Connection): void {
    open.delete(connection);
    connection.destroy();
  }

  return {
    origin,
    connectTimeoutMs: rules.connectTimeoutMs,
    drop,
    connect: (connected) => connectTo(origin, rules, connected),
    take(fresh) {
      const warm = fresh ? undefined : idle.pop();
      if (warm) return warm;
      const connection = openConnection(origin, rules, forget);
      open.add(connection);
      return connection;
    },
    give(connection) {
      if (retired || idle.length >= maxIdle) drop(connection);
      else idle.push(connection);
    },
    retire() {
      retired = true;
      for (const connection of idle.splice(0)) drop(connection);
    },
    destroy() {
      retired = true;
      idle.length = 0;
      for (const connection of open) drop(connection);
    },
  };
}
