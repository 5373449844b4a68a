// `reg token`: a token like those that `reg up` accepts, for a try by hand and for tests.
import { randomUUID } from 'node:crypto';
import { registryAudience, registryClaims } from '@reg/schema';
import { InvalidArgumentError } from 'commander';
import jwt from 'jsonwebtoken';
import { keyOf, type TokenSettings } from '../caller-tokens.ts';
import { printJson, printLine } from '../print.ts';
import { operatorKey } from '../registry-token.ts';
import { dataFolder, readSecret } from '../secret-file.ts';

export interface TokenOptions extends TokenSettings {
  readonly for: 'services' | 'registry';
  readonly sub?: string;
  readonly roles: readonly string[];
  /** Milliseconds. */
  readonly ttl: number;
  readonly services?: readonly string[];
  readonly readOnly?: boolean;
  readonly registryToken?: string;
  readonly data?: string;
  readonly json?: boolean;
}

export async function token(options: TokenOptions): Promise<void> {
  if (options.for === 'registry') registryToken(options);
  else await callerToken(options);
}

async function callerToken(options: TokenOptions): Promise<void> {
  const {
    sub,
    roles,
    ttl,
    jwtAudience = 'reg',
    jwtIssuer = 'reg',
    jwtRolesClaim,
    services,
    readOnly,
  } = options;
  if (sub === undefined) throw new InvalidArgumentError("required option '--sub <name>' not specified");
  if (services || readOnly) throw new InvalidArgumentError('--services and --read-only need --for registry');
  const claims = { [jwtRolesClaim]: rolesValue(jwtRolesClaim, roles) };
  const signed = jwt.sign(claims, await keyFor(options), {
    algorithm: 'HS256',
    subject: sub,
    audience: jwtAudience,
    issuer: jwtIssuer,
    expiresIn: secondsOf(ttl),
  });
  if (options.json) printJson({ token: signed });
  else printLine(signed);
}

/** What may do less than the operator's token, which signs it. `--json` shows the id, by which it is revoked. */
function registryToken({ registryToken, sub, services, readOnly, ttl, json }: TokenOptions): void {
  if (registryToken === undefined)
    throw new InvalidArgumentError("--for registry needs the operator's --registry-token");
  if (services === undefined && !readOnly)
    throw new InvalidArgumentError('--for registry needs --services, or --read-only');
  const jti = randomUUID();
  const claims = {
    jti,
    ...(sub !== undefined && { sub }),
    ...(services && { services: [...services] }),
    ...(readOnly && { readOnly }),
  };
  refuseBadClaims({ ...claims, exp: 0 });
  const signed = jwt.sign(claims, operatorKey(registryToken), {
    algorithm: 'HS256',
    audience: registryAudience,
    expiresIn: secondsOf(ttl),
  });
  if (json) printJson({ token: signed, jti });
  else printLine(signed);
}

/** The registry would refuse them later, one by one. */
function refuseBadClaims(claims: object): void {
  const { error } = registryClaims.safeParse(claims);
  const [issue] = error?.issues ?? [];
  if (issue) throw new InvalidArgumentError(`--${issue.path[0]?.toString()}: ${issue.message}`);
}

function secondsOf(ms: number): number {
  return Math.max(1, Math.round(ms / 1_000));
}

/** RFC 8693 §4.2: a claim named `scope` is words separated by spaces; any other is an array. */
function rolesValue(claim: string, roles: readonly string[]): string | readonly string[] {
  if (claim !== 'scope') return roles;
  const broken = roles.find((role) => /\s/.test(role));
  if (broken === undefined) return roles.join(' ');
  throw new InvalidArgumentError(`the claim scope cannot hold a role with a space: ${broken}`);
}

async function keyFor({ jwtSecret, data }: TokenOptions): Promise<ReturnType<typeof keyOf>> {
  if (jwtSecret !== undefined) return keyOf(jwtSecret, '--jwt-secret');
  const folder = dataFolder(data);
  const found = await readSecret(folder);
  if (found) return keyOf(found.secret, found.path);
  throw new InvalidArgumentError(
    `no JWT secret in ${folder}: start reg up first, or give --data or --jwt-secret`,
  );
}
