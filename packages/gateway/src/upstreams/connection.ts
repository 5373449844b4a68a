// One connection to an upstream: an undici Client of its own, so that we know of each request whether it
// was sent and whether a byte came back, which decides if it may be sent again.
import type { Socket } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import type { RawHeaders } from '../headers/raw-headers.ts';
import { type AmendedWrites, amendWrites } from './amend-writes.ts';
import { type ConnectRules, createConnector } from './connector.ts';
import { skipContinue } from './skip-continue.ts';

export interface ConnectionRules extends ConnectRules {
  /** Idle time where the upstream says none. Node's own server closes after 5 s: ours must be shorter. */
  readonly idleMs: number;
}

export interface Connection {
  /** Requests were answered on it before: the upstream may close it at any moment (RFC 9112 §9.3.1). */
  readonly used: boolean;
  /** Bytes read until now. */
  bytesRead(): number;
  /** To be called when a request is about to be written. */
  sending(): void;
  /** To be called when all of a chunked body was written but its end. */
  ending(trailers: RawHeaders): void;
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** Ends at once, whatever is on it. */
  destroy(): void;
}

export type Connected = (...result: [error: Error, socket: null] | [error: null, socket: Socket]) => void;

/** A bare connection, under the rules of all others. */
export function connectTo(origin: string, rules: ConnectionRules, connected: Connected): void {
  const { protocol, host, hostname, port } = new URL(origin);
  const connect = createConnector(rules);
  connect({ protocol, host, port, hostname: hostname.replace(/^\[|\]$/g, '') }, (...result) =>
    connected(...result),
  );
}

/** @param onClosed its socket is gone */
export function openConnection(
  origin: string,
  rules: ConnectionRules,
  onClosed: (connection: Connection) => void,
): Connection {
  const connect = createConnector(rules);
  let socket: Socket | undefined;
  let expectHead: (() => void) | undefined;
  let writes: AmendedWrites | undefined;
  let requests = 0;
  const client = new Client(origin, {
    // No limit on an idle body: events may be minutes apart, and TCP keep-alive finds a dead peer.
    bodyTimeout: 0,
    keepAliveTimeout: rules.idleMs,
    pipelining: 1, // one slow answer must not hold others
    connect: (options, callback) =>
      connect(options, (...result) => {
        const [error, opened] = result;
        if (error === null) {
          socket = opened;
          requests = 0;
          expectHead = skipContinue(opened);
          writes = amendWrites(opened);
          callback(null, opened);
        } else callback(error, null);
      }),
  });
  const connection: Connection = {
    get used() {
      return requests > 1;
    },
    bytesRead: () => socket?.bytesRead ?? 0,
    sending() {
      requests++;
      expectHead?.();
      writes?.expectHead();
    },
    ending: (trailers) => writes?.expectEnd(trailers),
    dispatch: (options, handler) => void client.dispatch(options, handler),
    destroy: () => void client.destroy().catch(() => undefined), // it was closed already
  };
  client.on('disconnect', () => onClosed(connection));
  return connection;
}
