import type { ChangeSet } from './change.ts';
import type { MeasuredLoad } from './load.ts';
import type { Position } from './position.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * The gateway's view of the registry: the registry in the same process satisfies it, and so does the
 * client across the network. It never answers from the future: what it gave is applied at the registry.
 */
export interface Catalog {
  /** Everything, at one revision. @throws a retryable RegError while no registry answers */
  snapshot(signal: AbortSignal): Promise<Snapshot>;
  /**
   * Change sets after a position, in order, without gaps; ends when `signal` aborts.
   * @throws `compacted`: too old, or of another epoch: start again from a snapshot
   * @throws a retryable RegError when the connection broke: follow again from the last position
   */
  changes(after: Position, signal: AbortSignal): AsyncIterable<ChangeSet>;
  /** Reports what this gateway has applied; `waitFor=gateways` waits for it. Never rejects. */
  applied(position: Position): Promise<void>;
  /**
   * Takes what this gateway measured since it last said so; left out, nobody wants to know. Across the network
   * only what `isScaled` is sent: else each gateway would ask the registry something each second. Never rejects.
   */
  loads?(loads: readonly MeasuredLoad[]): Promise<void>;
  /**
   * Why what it told last may be old although a watch is open: its store does not answer. `since` is in
   * milliseconds since 1970. @default undefined: it does
   */
  fault?(): { readonly text: string; readonly since: number } | undefined;
}
