// `reg token`: a token like those that `reg up` accepts, for a try by hand and for tests.
import { InvalidArgumentError } from 'commander';
import jwt from 'jsonwebtoken';
import { keyOf, type TokenSettings } from '../caller-tokens.ts';
import { printJson, printLine } from '../print.ts';
import { dataFolder, readSecret } from '../secret-file.ts';

export interface TokenOptions extends TokenSettings {
  readonly sub: string;
  readonly roles: readonly string[];
  /** Milliseconds. */
  readonly ttl: number;
  readonly data?: string;
  readonly json?: boolean;
}

export async function token(options: TokenOptions): Promise<void> {
  const { sub, roles, ttl, jwtAudience = 'reg', jwtIssuer = 'reg', jwtRolesClaim } = options;
  const claims = { [jwtRolesClaim]: rolesValue(jwtRolesClaim, roles) };
  const signed = jwt.sign(claims, await keyFor(options), {
    algorithm: 'HS256',
    subject: sub,
    audience: jwtAudience,
    issuer: jwtIssuer,
    expiresIn: Math.max(1, Math.round(ttl / 1_000)),
  });
  if (options.json) return printJson({ token: signed });
  printLine(signed);
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
