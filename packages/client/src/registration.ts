// What a service says of itself, and what it holds once it is registered: types only.
import type { ProblemCode } from '@reg/schema/problem';
import type { Registration as RegistrationDocument } from '@reg/schema/shapes';
import type { RequestSource } from './in-flight.ts';
import type { TokenSource } from './token.ts';

/**
 * What an instance says of itself, and how this process keeps it listed. The registry checks the fields
 * of the registration; a field it does not know is refused by name.
 */
export interface RegisterOptions extends Omit<RegistrationDocument, 'generation'> {
  /** Where the registry is; a comma-separated list names several. @default a URL in `SELF_REGISTRY`, else `REG_REGISTRY`, else `http://127.0.0.1:3100` */
  readonly registry?: string | undefined;
  /** Of the registry, where it needs one; a function is asked before each request. @default `REG_REGISTRY_TOKEN` */
  readonly token?: TokenSource | undefined;
  /** Wait for this server's requests alone when leaving. @default every `node:http` server of the process */
  readonly server?: RequestSource | undefined;
  /** How long leaving waits for requests in flight. @default 5_000 */
  readonly drainMs?: number | undefined;
  /** The event loop has not turned for so long: the lease is not renewed until it does. @default 30_000 */
  readonly stallMs?: number | undefined;
  /**
   * The registry refuses for good: `run` rejects (or logs, where it comes later), `exit` logs one line and
   * exits 1; replaced by a newer run, it answers what is in flight first and exits 0. @default 'run'
   */
  readonly onRefused?: 'exit' | 'run' | undefined;
  /** Resolve once every connected gateway sends requests here too, or after 5 s: see `missing`. @default not waited for */
  readonly waitFor?: 'gateways' | undefined;
  /** Takes one line of trouble, or that it is over. @default console.error */
  readonly log?: ((line: string) => void) | undefined;
}

/** What may change while an instance runs: not which one it is, nor its lease. */
export type RegistrationChanges = Partial<
  Omit<RegistrationDocument, 'name' | 'instanceId' | 'runId' | 'generation' | 'lease'>
>;

/**
 * `registered`; `lost`: its lease ended and it tries to come back; `leaving`: draining; `refused`: it never
 * comes back by itself; `unregistered`.
 */
export type RegistrationState = 'registered' | 'lost' | 'leaving' | 'refused' | 'unregistered';

export interface UnregisterOptions {
  /** Leave as on a signal: drained, requests in flight to zero (`drainMs`), then unregistered. @default false */
  readonly drain?: boolean | undefined;
}

export interface UpdateOptions {
  /** Resolve once every connected gateway has applied it, or after 5 s: see `missing`. @default not waited for */
  readonly waitFor?: 'gateways' | undefined;
}

export interface Updated {
  /** As `missing` of the registration, of this change. */
  readonly missing: readonly string[] | undefined;
}

/** What a service knows of itself that nobody else measures: a queue that grows, a quota that is spent. */
export interface ToldLoad {
  /** `normal` ends the `high` of this instance. */
  readonly level: 'high' | 'normal';
  /** How long it holds unless it is told anew, 1_000 or more. @default 60_000 */
  readonly forMs?: number | undefined;
}

/** A registration that is kept until `unregister()` or the end of the process. */
export interface Registration {
  readonly instanceId: string;
  readonly runId: string;
  /** As the registry granted it last. */
  readonly generation: number;
  readonly state: RegistrationState;
  /** Why the state is `refused`. */
  readonly refusal: ProblemCode | undefined;
  /**
   * With `waitFor`: the gateways that had not applied the registration within 5 s. Undefined: not waited for,
   * or the registry did not say.
   */
  readonly missing: readonly string[] | undefined;
  /**
   * Says anew what the changes name. What shares the service (`url`, `authorizedRoles`, `access`) needs `redefine: true`.
   * @throws the registry's refusal or, retryable, `registry_unavailable`: what was registered stands;
   * `instance_not_found`: this registration has ended
   */
  update(changes: RegistrationChanges, options?: UpdateOptions): Promise<Updated>;
  /**
   * Tells that this service has much to do, or no more: whoever scales it may start another instance. Once; it is
   * not said again. @throws the registry's refusal or, retryable, `registry_unavailable`
   */
  reportLoad(load: ToldLoad): Promise<void>;
  /**
   * Ends it; again: the same end. Nothing listed any more counts as done.
   * @throws `registry_unavailable`: not renewed any more, so its lease ends it
   */
  unregister(options?: UnregisterOptions): Promise<void>;
}
