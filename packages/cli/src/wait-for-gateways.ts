// `--wait`: done when every connected gateway knows. A script that stops the old instance next must not go on
// where one does not: so that is a failure, although what was asked is done.
import { regError } from '@reg/schema/problem';

const waitS = 5;

/** As part of the query of register or drain. */
export function waitQuery(wait: boolean | undefined): { waitFor?: string; wait?: string } {
  return wait ? { waitFor: 'gateways', wait: `${waitS}s` } : {};
}

/** @throws `not_caught_up`, naming the gateways that had not heard of it in time */
export function requireKnown(missing: readonly string[] | undefined): void {
  if (missing === undefined || missing.length === 0) return;
  throw regError('not_caught_up', describeMissing(missing));
}

export function describeMissing(missing: readonly string[]): string {
  return `done, but these gateways had not heard of it within ${waitS} s: ${missing.join(', ')}`;
}
