// The gateway's view of the registry across the network. It satisfies the port `Catalog` of the schema.
import type { Position } from '@reg/schema/position';
import { isRegError } from '@reg/schema/problem';
import type { ChangeSet, MeasuredLoad, Snapshot } from '@reg/schema/shapes';
import { registryAddresses } from './addresses.ts';
import { answerMs, followChanges, snapshotSilenceMs } from './changes.ts';
import { createBearer, type TokenSource } from './token.ts';
import { createTransport } from './transport.ts';

export interface CatalogOptions {
  /** Where the registry is; a comma-separated list names several. @default as in `register` */
  readonly registry?: string | undefined;
  /** Of the registry, where it needs one; a function is asked before each request. @default `REG_REGISTRY_TOKEN` */
  readonly token?: TokenSource | undefined;
  /** The name under which this gateway reports what it has applied: 1 to 100 of `A-Z a-z 0-9 . _ : @ -`. */
  readonly gateway: string;
}

export interface RemoteCatalog {
  /** The registry that is followed: of several, the one that answered last. */
  readonly address: URL;
  /** Everything, at one revision. @throws a retryable RegError while no registry answers */
  snapshot(signal: AbortSignal): Promise<Snapshot>;
  /**
   * Change sets after a position, in order, without gaps; ends when `signal` aborts.
   * @throws `compacted`: too old, or of another epoch: start again from a snapshot
   * @throws a retryable RegError when the connection broke or went silent for 15 s
   */
  changes(after: Position, signal: AbortSignal): AsyncIterable<ChangeSet>;
  /** Reports what this gateway has applied. One report at a time, the newest wins. Never rejects. */
  applied(position: Position): Promise<void>;
  /** Sends what was measured of the services that somebody scales, and of no others. Never rejects. */
  loads(loads: readonly MeasuredLoad[]): Promise<void>;
}

/** @throws `invalid_request`: `registry` names no registry */
export function createCatalog({ registry, token, gateway }: CatalogOptions): RemoteCatalog {
  const transport = createTransport(registryAddresses(registry), createBearer(token));
  let newest: Position | undefined;
  let reporting: Promise<void> | undefined;

  async function report(): Promise<void> {
    while (newest) {
      const { epoch, revision } = newest;
      newest = undefined;
      // Only to the registry that told us: another has another history, and must not become the one we follow.
      const call = {
        path: { id: gateway },
        body: { epoch, revision },
        timeoutMs: answerMs,
        lastAnswered: 'alone',
      } as const;
      // Not said again: the next change is reported too, and who waits for us waits for a bounded time.
      await transport.call('reportApplied', call).catch(() => undefined);
    }
    reporting = undefined;
  }

  return {
    get address() {
      return transport.addresses()[0];
    },
    snapshot: (signal) => transport.call('snapshot', { timeoutMs: snapshotSilenceMs, signal }),
    changes: (after, signal) => followChanges(transport, { after, signal, gateway }),
    async loads(all) {
      for (const { service, isScaled, ...measured } of all) {
        if (!isScaled) continue;
        const call = {
          path: { service },
          body: { gateway, ...measured },
          timeoutMs: answerMs,
          background: true,
          lastAnswered: 'alone',
        } as const;
        const error = await transport.call('reportLoad', call).catch((cause: unknown) => cause);
        if (isRegError(error) && error.status === 503) return; // so would the others: they are measured anew
      }
    },
    applied(position) {
      newest = position;
      reporting ??= report();
      return reporting;
    },
  };
}
