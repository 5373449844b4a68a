// Why a database can not be used, in one line that says what to do; told by what the driver throws.
import { isRegError, type RegError, regError } from '@reg/schema';
import type { mongo } from 'mongoose';
import { errorText } from './error-text.ts';
import { unauthorized } from './sign-in.ts';
import { parseStoreUrl, withoutPassword } from './store-url.ts';

/** 6.0: change streams show what was there before and after. */
const oldestWireVersion = 17;

/** Code of the server. */
const authenticationFailed = 18;

/** What the driver calls an error of the URL or of its options. */
const urlFaults = new Set([
  'MongoParseError',
  'MongoInvalidArgumentError',
  'MongoAPIError',
  'MongoRuntimeError',
]);
const silences = new Set([
  'MongooseServerSelectionError',
  'MongoServerSelectionError',
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
]);

export interface ServerVersion {
  readonly version: string;
  readonly maxWireVersion: number;
}

/** @throws `store_unavailable` */
export function checkVersion({ version, maxWireVersion }: ServerVersion): void {
  if (maxWireVersion >= oldestWireVersion) return;
  throw regError('store_unavailable', `the database is MongoDB ${version}, and 6.0 or newer is needed`);
}

/** @param cause what the driver threw while the store was opened */
export function startFault(cause: unknown, url: string): RegError {
  if (isRegError(cause)) return cause;
  const code = isUrlFault(cause) ? 'invalid_request' : 'store_unavailable';
  return regError(code, withoutPassword(describe(cause, url), url), { cause });
}

function describe(cause: unknown, url: string): string {
  const { hosts, database, user } = parseStoreUrl(url);
  const message = errorText(cause).replace(/\s+/g, ' ');
  const who =
    user === undefined ? 'somebody without a name (the URL has no name and password)' : `the user ${user}`;
  switch (codeOf(cause)) {
    case authenticationFailed:
      return `the database at ${hosts} does not let ${who} in: name or password is wrong, or the user belongs to another database (authSource)`;
    case unauthorized:
      return `the database at ${hosts} does not allow ${who} what the registry does: the roles readWrite and dbAdmin are needed in ${database}`;
  }
  if (isUrlFault(cause)) return `the store's URL: ${message}`;
  if (isSilence(cause))
    return `no database that can be used answers at ${hosts}: ${whyNotUsed(cause) ?? message}`;
  return `the database at ${hosts}: ${message}`;
}

/** Where somebody answered and is of no use, the driver says only for how long it waited. */
function whyNotUsed(cause: Error): string | undefined {
  const { type, servers } = ('reason' in cause ? cause.reason : {}) as Partial<mongo.TopologyDescription>;
  if (!/^Server selection timed out/.test(cause.message)) return undefined;
  if ([...(servers?.values() ?? [])].some((server) => server.type === 'RSGhost'))
    return 'who answers there is a member of a replica set that was never initiated';
  if (type !== 'ReplicaSetNoPrimary') return undefined;
  return servers?.size === 0
    ? 'who answers there is no member of the replica set that the URL names (replicaSet)'
    : 'the replica set has no primary at the moment';
}

/** @param error what `openMongoStore` threw. @returns whether nobody answered: once the database is back, it may be opened */
export function isAway(error: unknown): boolean {
  return isRegError(error) && isSilence(error.cause);
}

/** Of the database itself, or of DNS, which node asks for the members of `mongodb+srv` and fails in its own way. */
function isSilence(cause: unknown): cause is Error {
  if (!(cause instanceof Error)) return false;
  return silences.has(cause.name) || ('syscall' in cause && /^query/.test(String(cause.syscall)));
}

function isUrlFault(cause: unknown): boolean {
  return cause instanceof Error && urlFaults.has(cause.name);
}

function codeOf(cause: unknown): unknown {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}
