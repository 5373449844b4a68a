// Who may call: the secret that `reg up` verifies tokens with, given or made.
import { createTokenVerifier, parseSecret, type TokenVerifier } from '@reg/gateway';
import { InvalidArgumentError } from 'commander';
import { ensureSecret } from './secret-file.ts';

export interface TokenSettings {
  readonly jwtSecret?: string;
  readonly jwtAudience: string;
  readonly jwtIssuer: string;
  readonly jwtRolesClaim: string;
}

export interface CallerTokens {
  readonly verifier: TokenVerifier;
  /** Where the secret is, never the secret itself. */
  readonly from: string;
  /** There was none before. */
  readonly made: boolean;
}

/** @throws InvalidArgumentError where the secret is too short or no base64 */
export async function callerTokens(settings: TokenSettings, folder: string): Promise<CallerTokens> {
  const { jwtSecret, jwtAudience: audience, jwtIssuer: issuer, jwtRolesClaim: rolesClaim } = settings;
  const file = jwtSecret === undefined ? await ensureSecret(folder) : undefined;
  const from = file?.path ?? '--jwt-secret';
  const secret = keyOf(file?.secret ?? jwtSecret ?? '', from);
  const verifier = createTokenVerifier({ secret, audience, issuer, rolesClaim });
  return { verifier, from, made: file?.made ?? false };
}

/** @param from where the secret is, for the message: the secret is never in it */
export function keyOf(secret: string, from: string): ReturnType<typeof parseSecret> {
  try {
    return parseSecret(secret);
  } catch (error) {
    throw new InvalidArgumentError(`${from}: ${(error as Error).message}`);
  }
}
