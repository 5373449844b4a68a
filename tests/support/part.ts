import { existsSync } from 'node:fs';

/**
 * The reason to skip a test whose real part is missing, as vitest's `skip` wants it; in CI a missing
 * part is a failure, so there this throws. @param name what is missing, in words
 */
export function skipWithout(name: string, present: boolean): boolean {
  if (present) return false;
  if (process.env.CI) throw new Error(`${name} is missing, and CI is set`);
  console.warn(`SKIPPED: ${name} is missing`);
  return true;
}

/** A folder of shared test parts, beside the checkout. */
export const sharedFolder = new URL('../../../shared/', import.meta.url).pathname;

export const hasShared = existsSync(sharedFolder);
