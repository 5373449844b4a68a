import type {
  Change,
  ChangeSet,
  Instance,
  InvalidDocument,
  LoopLoad,
  Note,
  Position,
  ServiceDefinition,
} from '@reg/schema';
import type { HistoryReader, Origin } from './history.ts';
import type { Lease } from './lease.ts';

/** `service` and `instanceId` in one string; made by `instanceKey`, read by `instanceNameOf`. */
export type InstanceKey = string & { readonly brand: 'InstanceKey' };

/** One instance of a service, by name. */
export interface InstanceName {
  readonly service: string;
  readonly id: string;
}

/** NUL is no character of a name or an id, so two pairs never share a key. */
export function instanceKey({ service, id }: InstanceName): InstanceKey {
  return `${service}\u0000${id}` as InstanceKey;
}

export function instanceNameOf(key: InstanceKey): InstanceName {
  const end = key.indexOf('\u0000');
  return { service: key.slice(0, end), id: key.slice(end + 1) };
}

/** A renewal that the rules allowed: the lease as it stands then. */
export interface Renewal {
  readonly key: InstanceKey;
  readonly generation: number;
  /** Milliseconds since 1970; null without a lease. */
  readonly expiresAt: number | null;
  /** Left out: not said, and what was said last stands. */
  readonly load?: LoopLoad | undefined;
}

export interface ServiceState {
  readonly definition: ServiceDefinition;
  readonly instances: ReadonlyMap<string, Instance>;
}

/** What the rules decide on: everything, in memory, at one revision. Reads never wait. */
export interface View {
  readonly position: Position;
  readonly services: ReadonlyMap<string, ServiceState>;
  /** Of every listed instance, with and without an end. */
  readonly leases: ReadonlyMap<InstanceKey, Lease>;
  /** Of those gone in the last 24 h, oldest first: no generation is ever given twice. */
  readonly tombstones: ReadonlyMap<InstanceKey, Lease>;
  /** Services without instances and since when (milliseconds since 1970), oldest first. */
  readonly emptySince: ReadonlyMap<string, number>;
  /** Canonical public path (`canonicalPath`) → the service that holds it. */
  readonly paths: ReadonlyMap<string, string>;
  /** Slug → the service that holds it. */
  readonly slugs: ReadonlyMap<string, string>;
  /** Canonical address → who lists it. */
  readonly addresses: ReadonlyMap<string, readonly InstanceKey[]>;
}

/** Another writer came between: nothing was written, and the view holds by now what it did. Decide again. */
export type Raced = 'raced';

/** How a store fares that is elsewhere, and that others write to. */
export interface StoreCondition {
  /** What is wrong with it at the moment. Times are milliseconds since 1970 by this process's clock. */
  readonly faults: readonly { readonly text: string; readonly since: number }[];
  /** What somebody wrote into it and means nothing: left alone. Very many are not all kept. */
  readonly invalid: readonly InvalidDocument[];
  /** All of them. */
  readonly invalidCount: number;
}

/**
 * What the registry must not forget. `storeSuite` tests each promise by its number.
 * 1. A change is durable before its promise resolves. Price: one fsync, or one majority write.
 * 2. One write, one revision, never back; it may hold several changes, all or none.
 * 3. A write names the generations it replaces (0: nobody is listed); if one moved on, it throws
 *    `generation_superseded` and changes nothing.
 * 4. `changes` skips nothing or throws `compacted`. Price: a bounded log, at least 10,000 change sets.
 *    Who has read everything is at `position`: it moves with a change set, and by nothing else.
 * 5. NOT promised: renewals survive a crash. Gain: no fsync per heartbeat. Price: grace for all.
 * 6. `view` holds every write that was answered, and follows whatever else writes to the store.
 * 7. Where several registries share it, an expiry is refused (`raced`) for a lease that another one renewed.
 * 8. `history` holds each change of the view once, with its origin where a registry wrote it, whichever did; the
 *    oldest go first, and notes push out no change. Price: a bounded ring, at least 10,000 changes.
 *    NOT promised: that what came last is still there after a crash.
 */
export interface Store {
  /** What health calls it. */
  readonly kind: string;
  readonly view: View;
  /**
   * The revision that the next write gets at least; a new run is granted it as its generation.
   * A write decided on `view` in the same turn of the event loop sees nobody come between.
   */
  nextRevision(now: number): number;
  write(
    changes: readonly Change[],
    replaces: ReadonlyMap<InstanceKey, number>,
    now: number,
    origin?: Origin,
  ): Promise<ChangeSet | Raced>;
  readonly history: HistoryReader;
  /** They are in the history once it resolves. They make no revision, and wake nobody who follows. */
  note(notes: readonly Note[], now: number, origin?: Origin): Promise<void>;
  /** @returns keys that nobody holds with that generation any more: their clients must register again */
  renew(renewals: readonly Renewal[]): Promise<readonly InstanceKey[]>;
  /**
   * Brings these leases, which look overdue, up to what is known elsewhere: another registry's renewals, a
   * time in which nobody could renew. Afterwards the view says which are.
   */
  refresh(overdue: readonly InstanceKey[], now: number): Promise<void>;
  /**
   * What readers are told, and follow from: that of the last change set, or where the store began. What others
   * write and changes nothing moves `view.position` alone.
   */
  position(): Position;
  /** Resolves once the view is there or further; earlier where `signal` aborts, another epoch begins or it is closed. */
  reached(revision: number, signal: AbortSignal): Promise<void>;
  /**
   * Change sets after a position, then as they come; ends when `signal` aborts or the store is closed.
   * A position ahead of the store's waits. @throws `compacted`, at once where it is known at once
   */
  changes(after: Position, signal: AbortSignal): AsyncIterable<ChangeSet>;
  /** For health. @default what the last write and the last renewal met */
  condition?(): StoreCondition;
  close(): Promise<void>;
}
