// Who may call: the secret that `reg up` verifies tokens with, given or made, or the issuer's published keys.
import { createTokenVerifier, parseJwksUrl, parseSecret, type TokenVerifier } from '@reg/gateway';
import { InvalidArgumentError } from 'commander';
import { ensureSecret } from './secret-file.ts';

export interface TokenSettings {
  readonly jwtSecret?: string;
  /** Where the issuer's keys are, instead of a secret. */
  readonly jwtJwks?: string;
  /** @default 'reg', with a secret */
  readonly jwtAudience?: string;
  /** @default 'reg', with a secret */
  readonly jwtIssuer?: string;
  readonly jwtRolesClaim: string;
}

export interface CallerTokens {
  readonly verifier: TokenVerifier;
  /** Where the secret or the key set is, never the secret itself. */
  readonly from: string;
  /** There was none before. */
  readonly made: boolean;
}

/**
 * @param log what becomes of the issuer's keys
 * @throws InvalidArgumentError where the secret is too short or no base64, or the key set is not pinned
 */
export async function callerTokens(
  settings: TokenSettings,
  folder: string,
  log: (message: string) => void,
): Promise<CallerTokens> {
  const {
    jwtSecret,
    jwtJwks,
    jwtAudience: audience,
    jwtIssuer: issuer,
    jwtRolesClaim: rolesClaim,
  } = settings;
  const common = { audience, issuer, rolesClaim };
  if (jwtJwks !== undefined) {
    refuseUnpinned(settings, jwtJwks);
    const verifier = createTokenVerifier({ jwks: { url: jwtJwks, log }, ...common });
    return { verifier, from: jwtJwks, made: false };
  }
  const file = jwtSecret === undefined ? await ensureSecret(folder) : undefined;
  const from = file?.path ?? '--jwt-secret';
  const secret = keyOf(file?.secret ?? jwtSecret ?? '', from);
  return { verifier: createTokenVerifier({ secret, ...common }), from, made: file?.made ?? false };
}

/** An issuer signs for many: without both, tokens for its other services would count here. */
function refuseUnpinned({ jwtAudience, jwtIssuer }: TokenSettings, url: string): void {
  try {
    parseJwksUrl(url);
  } catch (error) {
    throw new InvalidArgumentError(`--jwt-jwks: ${(error as Error).message}`);
  }
  if (jwtAudience !== undefined && jwtIssuer !== undefined) return;
  throw new InvalidArgumentError(
    '--jwt-jwks needs --jwt-audience and --jwt-issuer: its issuer signs for others too',
  );
}

/** @param from where the secret is, for the message: the secret is never in it */
export function keyOf(secret: string, from: string): ReturnType<typeof parseSecret> {
  try {
    return parseSecret(secret);
  } catch (error) {
    throw new InvalidArgumentError(`${from}: ${(error as Error).message}`);
  }
}
