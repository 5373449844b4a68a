// Who changes the registry, and what of it they may: services by name, instances by who registered them.
import { regError } from '@reg/schema';
import type { Origin } from './history.ts';
import type { Lease } from './lease.ts';

/** Who asks for a change. Left out: the operator, who may do everything, as may whoever calls in the process. */
export interface Writer {
  /** Under this name it registers; what others registered is not its own. */
  readonly registrant: string;
  mayWrite(service: string): boolean;
}

/** Who asks, for the rules and for the history. */
export interface Asking {
  /** Undefined: the operator. */
  readonly writer?: Writer | undefined;
  readonly origin?: Origin | undefined;
}

/** @throws `not_permitted` */
export function checkService(writer: Writer | undefined, service: string): void {
  if (!writer || writer.mayWrite(service)) return;
  throw regError('not_permitted', `the token may not write ${service}`);
}

/**
 * Of two that may write a service, none ends or renews what the other registered.
 * @param lease undefined: nobody is listed, and so nobody is in the way
 * @throws `instance_foreign`
 */
export function checkRegistrant(writer: Writer | undefined, lease: Lease | undefined, what: string): void {
  if (!writer || !lease || lease.registrant === writer.registrant) return;
  throw regError('instance_foreign', `${what} was registered with another token`);
}

/** @throws `not_permitted`: `force` passes by whoever holds the lease */
export function checkForce(writer: Writer | undefined, force: boolean | undefined): void {
  if (!writer || !force) return;
  const message = "is an operator's: name the run by generation or runId";
  throw regError('not_permitted', `force=true ${message}`, { errors: [{ field: 'force', message }] });
}
