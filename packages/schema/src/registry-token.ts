// What a token for the registry says, narrower than the operator's own: which services it may write.
import * as z from 'zod';
import { text } from './text.ts';

/** Audience of tokens for the registry; a caller's token for the gateway has another. */
export const registryAudience = 'reg-registry';

/** A name of a service, or how it begins: `billing-*`. */
export const servicePattern = text(100).refine(
  (pattern) => pattern.indexOf('*') === -1 || pattern.indexOf('*') === pattern.length - 1,
  'may have a * at its end only',
);

/** Seconds since 1970 (RFC 7519 §2): `1e400` is a number too, and would never end. */
const numericDate = z.number();

/** Claims that we read; others are left alone. */
export const registryClaims = z.object({
  /** Names the token where it is revoked: a line of the list. */
  jti: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable characters without spaces'),
  exp: numericDate,
  nbf: numericDate.optional(),
  iat: numericDate.optional(),
  /** Tokens of one subject own the same instances. @default each token its own */
  sub: text(200).optional(),
  /** What it may write. @default nothing */
  services: z.array(servicePattern).max(1_000).optional(),
  /** It writes nothing, whatever `services` says. */
  readOnly: z.boolean().optional(),
});

export type RegistryClaims = z.infer<typeof registryClaims>;

/** Whether a pattern names a service. */
export function namesService(pattern: string, service: string): boolean {
  return pattern.endsWith('*') ? service.startsWith(pattern.slice(0, -1)) : service === pattern;
}
