import type { Catalog, ChangeSet, Position, Reply, RegistrationBody, Snapshot } from '@reg/schema';

/** Which run of an instance is meant: exactly one of the three; `force` is an operator's. */
export interface RunName {
  readonly generation?: number | undefined;
  readonly runId?: string | undefined;
  readonly force?: boolean | undefined;
}

/** Wait, at most `waitMs`, until every connected gateway has applied the change. */
export interface Waiting {
  readonly waitFor?: 'gateways' | undefined;
  readonly waitMs?: number | undefined;
}

/** One instance, and why it is spoken of. */
export interface InstanceName {
  readonly service: string;
  readonly id: string;
}

/**
 * The registry: rules over a store. Every method takes what `contract` already parsed, answers with
 * its reply, and throws a RegError whose code the contract names. It knows no HTTP.
 */
export interface Registry {
  register(name: InstanceName, body: RegistrationBody, waiting?: Waiting): Promise<Reply<'register'> & { created: boolean }>;
  renew(name: InstanceName, generation: number): Promise<Reply<'renew'>>;
  renewMany(renewals: readonly { service: string; id: string; generation: number }[]): Promise<Reply<'renewMany'>>;
  drain(name: InstanceName, run: RunName, options?: Waiting & { reason?: string | undefined }): Promise<Reply<'drain'>>;
  unregister(name: InstanceName, run: RunName, options?: { reason?: string | undefined }): Promise<Reply<'unregister'>>;
  movePath(move: { path: string; from: string; to: string }): Promise<Reply<'movePath'>>;
  listServices(): Reply<'listServices'>;
  getService(service: string): Reply<'getService'>;
  snapshot(): Snapshot;
  position(): Position;
  /** With `gateway`: that gateway counts as connected while this runs, and 2 s longer. @throws `compacted` */
  changes(after: Position, signal: AbortSignal, gateway?: string): AsyncIterable<ChangeSet>;
  reportApplied(gateway: string, position: Position): void;
  health(): Reply<'health'>;
  /** This registry as the catalog of a gateway in the same process. */
  catalog(gateway: string): Catalog;
  /** Ends the reaper and every watch; the store is closed too. */
  close(): Promise<void>;
}
