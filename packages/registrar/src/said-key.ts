// Two ways to say the same are one text, so that comparing is cheap: ten thousand instances are compared at once.
import type { AuthorizedRoles, Instance, ServicePolicy } from '@reg/schema';
import type { Said } from './policies/policy.ts';

type Fields = Pick<
  Said & Instance,
  'endpoints' | 'merge' | 'partial' | 'version' | 'zone' | 'weight' | 'tags' | 'metadata'
>;

export function saidKeyOf({
  endpoints,
  merge,
  partial,
  version,
  zone,
  weight,
  tags,
  metadata,
}: Fields): string {
  const addresses = endpoints.map(({ type, url, as }) => [type, url, as ?? null]);
  return JSON.stringify([addresses, merge, partial, version, zone, weight, tags, sorted(metadata)]);
}

interface Shared {
  readonly url: string;
  readonly authorizedRoles: AuthorizedRoles;
  /** @default token */
  readonly access?: 'token' | 'public' | undefined;
}

/** The order of roles and their repetition mean nothing. */
export function entryKeyOf({ url, authorizedRoles, access = 'token' }: Shared): string {
  const [mode, roles] = Array.isArray(authorizedRoles)
    ? ['all', authorizedRoles]
    : ['any', authorizedRoles.anyOf];
  return JSON.stringify([url, access, mode, [...new Set(roles)].sort()]);
}

/** A policy that says nothing is none. */
export function policyKeyOf(policy: ServicePolicy | undefined): string {
  return JSON.stringify(sortedDeep(policy ?? {}));
}

function sorted(record: Readonly<Record<string, string>> | undefined): [string, string][] | undefined {
  return record && Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1));
}

function sortedDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedDeep);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries.sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, one]) => [key, sortedDeep(one)]),
  );
}
