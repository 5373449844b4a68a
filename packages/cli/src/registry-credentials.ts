// What `reg up` needs to be told before it listens beyond this machine, and what its registry asks for.
import { isIPv4 } from 'node:net';
import type { Credentials } from '@reg/registry/http';
import { InvalidArgumentError } from 'commander';
import { keyOf } from './caller-tokens.ts';
import type { LogLines } from './log-lines.ts';
import type { Part } from './part.ts';
import { operatorKey } from './registry-token.ts';
import { openRevokedList } from './revoked-list.ts';

export interface CredentialSettings {
  readonly host: string;
  readonly registryOnly?: boolean;
  readonly gatewayOnly?: boolean;
  readonly registryToken?: string;
  /** The file of revoked ids. */
  readonly revoked?: string;
  readonly jwtSecret?: string;
  readonly jwtJwks?: string;
}

/** Beyond this machine everybody could register, read and call: what runs there needs secrets of the operator's own. */
export function refuseWithoutCredentials(options: CredentialSettings): void {
  const { host, registryOnly, gatewayOnly, registryToken, jwtSecret, jwtJwks } = options;
  if (host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))) return;
  const missing = [
    ...(!gatewayOnly && registryToken === undefined ? ['--registry-token'] : []),
    // A secret that was made here is nobody's own.
    ...(!registryOnly && jwtSecret === undefined && jwtJwks === undefined
      ? ['--jwt-secret or --jwt-jwks']
      : []),
  ];
  if (missing.length === 0) return;
  throw new InvalidArgumentError(
    `--host ${host} is not loopback: beyond this machine credentials are needed: ${missing.join(' and ')}`,
  );
}

/** What the registry asks for; undefined: nothing. A gateway alone shows its token, whichever it is. */
export async function registryCredentials(
  { registryToken, revoked, gatewayOnly, jwtSecret }: CredentialSettings,
  log: LogLines,
  parts: Part[],
): Promise<Credentials | undefined> {
  if (gatewayOnly) return undefined;
  if (registryToken === undefined) {
    if (revoked === undefined) return undefined;
    throw new InvalidArgumentError('--revoked needs --registry-token: without it no token is asked for');
  }
  const token = operatorKey(registryToken);
  // Services that check their callers themselves have the JWT secret: they would be operators.
  if (jwtSecret !== undefined && token.equals(keyOf(jwtSecret, '--jwt-secret')))
    throw new InvalidArgumentError('--registry-token must be another secret than --jwt-secret');
  if (revoked === undefined) return { token };
  const list = await openRevokedList(revoked, (line) => tell(log, line));
  parts.push(list);
  return { token, isRevoked: list.has };
}

function tell(log: LogLines, line: string): void {
  log.add(
    log.form === 'json' ? JSON.stringify({ part: 'registry', kind: 'notice', line }) : `registry  ${line}`,
  );
}
