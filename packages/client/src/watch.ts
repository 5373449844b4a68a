import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '@reg/schema/position';
import { isRegError } from '@reg/schema/problem';
import type { ChangeSet, Snapshot } from '@reg/schema/shapes';
import { registryAddresses } from './addresses.ts';
import { backoffMs } from './backoff.ts';
import { followChanges, snapshotSilenceMs } from './changes.ts';
import { isPermanent } from './keep-lease.ts';
import { createBearer, type TokenSource } from './token.ts';
import { createTransport, type Transport } from './transport.ts';

export interface WatchOptions {
  /** Where the registry is; a comma-separated list names several. @default as in `register` */
  readonly registry?: string | undefined;
  /** Of the registry, where it needs one; a function is asked before each request. @default `REG_REGISTRY_TOKEN` */
  readonly token?: TokenSource | undefined;
  /** A position seen before; left out, the first item is a snapshot. */
  readonly after?: Position | undefined;
  /** Silence after which the connection counts as dead. The registry says something every 5 s. @default 15_000 */
  readonly idleMs?: number | undefined;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Follows changes in order, without gaps; resumes by `Last-Event-ID` (WHATWG HTML §9.2). A registry that is
 * away never throws: it is asked again after 0.1 to 5 s, with jitter. A registry with another history
 * (restarted, restored) is a new snapshot among the items. Watching keeps the process alive.
 * @throws `compacted`, only where `after` was given: too old, or of another epoch: start from a snapshot
 * @throws `invalid_request`: `registry` names no registry; any other permanent refusal, by its code
 */
export function watch({
  registry,
  token,
  ...options
}: WatchOptions = {}): AsyncIterable<Snapshot | ChangeSet> {
  const { signal = new AbortController().signal } = options;
  return follow(createTransport(registryAddresses(registry), createBearer(token)), { ...options, signal });
}

interface FollowerOptions {
  readonly after?: Position | undefined;
  readonly idleMs?: number | undefined;
  readonly signal: AbortSignal;
  /** Following alone does not keep the process alive. @default false */
  readonly background?: boolean;
  readonly onContact?: () => void;
}

/** A connection that lived this long was a good one: after it, the next try comes soon. */
const steadyMs = 5_000;

/** `watch`, over a transport. */
export async function* follow(
  transport: Transport,
  { after, idleMs, signal, background = false, onContact }: FollowerOptions,
): AsyncGenerator<Snapshot | ChangeSet, void> {
  let position = after;
  for (let failures = 0; !signal.aborted; ) {
    const startedAt = performance.now();
    try {
      if (!position) {
        const snapshot = await transport.call<Snapshot>('snapshot', {
          timeoutMs: snapshotSilenceMs,
          signal,
          background,
        });
        onContact?.();
        position = { epoch: snapshot.epoch, revision: snapshot.revision };
        yield snapshot;
      }
      const { epoch }: Position = position;
      for await (const set of followChanges(transport, {
        after: position,
        signal,
        idleMs,
        background,
        onContact,
      })) {
        position = { epoch, revision: set.revision };
        yield set;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isRegError(error)) throw error;
      const compacted = error.code === 'compacted';
      if (compacted ? after !== undefined : isPermanent(error)) throw error;
      if (compacted) position = undefined;
      failures = performance.now() - startedAt > steadyMs ? 1 : failures + 1;
      if (compacted && failures === 1) continue; // what we hold is old news: look at once
      await sleep(backoffMs(failures), undefined, { signal, ref: !background }).catch(() => undefined);
    }
  }
}
