// The token of the registry, as each request carries it. It may be another at the next request: tokens expire.
import { setTimeout as sleep } from 'node:timers/promises';
import { regError } from '@reg/schema/problem';

/**
 * A token, or a function that gives the one that counts now: it is asked before each request, so what it
 * reads should be at hand. White space around it is dropped, as at the end of a file.
 */
export type TokenSource = string | (() => string | Promise<string>);

export interface Bearer {
  /**
   * @param limitMs how long the function may take
   * @throws `token_missing`: the function gave none; `token_invalid`: no header can carry it
   */
  headers(limitMs: number): Promise<{ authorization?: string }>;
  /** As they were sent last: for a dying process, which can ask nobody. */
  lastHeaders(): { authorization?: string };
  /** The next one may be another, so a refusal of this one is not the last word. */
  readonly changes: boolean;
}

/** @param source left out: `REG_REGISTRY_TOKEN`, else no token is sent */
export function createBearer(
  source: TokenSource | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Bearer {
  const given = source ?? environment.REG_REGISTRY_TOKEN;
  let last = typeof given === 'string' ? headersOf(given) : {};
  return {
    async headers(limitMs) {
      if (typeof given === 'function') last = headersOf(await ask(given, limitMs));
      return last;
    },
    lastHeaders: () => last,
    changes: typeof given === 'function',
  };
}

async function ask(source: () => string | Promise<string>, limitMs: number): Promise<string> {
  const over = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    const token = await Promise.race([source(), limit]);
    if (typeof token === 'string' && token.trim() !== '') return token;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw regError('token_missing', `the token function failed: ${why}`, { cause });
  } finally {
    over.abort();
  }
  throw regError('token_missing', `the token function gave no token within ${limitMs} ms`);
}

/** UTF-8 as header bytes: node writes each character of a header as one byte (Latin-1). */
function headersOf(text: string): { authorization?: string } {
  const token = text.trim();
  if (token === '') return {};
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the header
  if (/[\u0000-\u001f\u007f]/.test(token)) throw regError('token_invalid', 'token: no header can carry it');
  return { authorization: `Bearer ${latin1(token)}` };
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
