// Tokens that were verified, until they expire. Oldest out: a token that is still in use comes back at
// the price of one verification.
import type { Principal } from './principal.ts';

export interface RememberedOptions {
  readonly maxTokens: number;
  /** Of all tokens together, since one may be 64 KiB and its claims some times that. */
  readonly maxCharacters: number;
}

interface Remembered {
  readonly principal: Principal;
  /** Milliseconds since 1970, leeway included. */
  readonly expiresAt: number;
}

export function createRemembered({ maxTokens, maxCharacters }: RememberedOptions) {
  const byToken = new Map<string, Remembered>();
  let characters = 0;

  function forget(token: string): void {
    if (byToken.delete(token)) characters -= token.length;
  }

  return {
    find(token: string, now: number): Principal | undefined {
      const found = byToken.get(token);
      if (!found) return undefined;
      if (now < found.expiresAt) return found.principal;
      forget(token);
      return undefined;
    },

    keep(token: string, principal: Principal, expiresAt: number): void {
      forget(token); // two requests may have verified it at once
      byToken.set(token, { principal, expiresAt });
      characters += token.length;
      for (const oldest of byToken.keys()) {
        if (byToken.size <= maxTokens && characters <= maxCharacters) return;
        forget(oldest);
      }
    },
  };
}
