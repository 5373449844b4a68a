// The key set of an issuer, by its URL: loaded at once, asked again from time to time and when a token names
// a key that is not in it. A set is replaced by a good one alone; until then the old one counts.
import type { KeyObject } from 'node:crypto';
import { regError } from '@reg/schema/problem';
import { now as clockNow } from '../clock.ts';
import { fetchText } from './fetch-text.ts';
import { describeKeySet, type KeyHint, parseKeySet, pickKey, type VerificationKey } from './key-set.ts';

export interface JwksOptions {
  /** https, or http on loopback. */
  readonly url: string;
  /** What becomes of the set: loaded, another, not to be had (once while it lasts). @default nobody is told */
  readonly log?: ((message: string) => void) | undefined;
  /** How long a set counts as fresh. @default 300_000 */
  readonly refreshMs?: number | undefined;
  /** Pause between two questions for unknown keys: a caller can make them up. @default 30_000 */
  readonly unknownKeyPauseMs?: number | undefined;
  /** After a failure; doubled each time, up to `unknownKeyPauseMs`. @default 1_000 */
  readonly retryMs?: number | undefined;
  /** Of one question. @default 5_000 */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds that never run back. */
  readonly now?: (() => number) | undefined;
}

export interface Jwks {
  /** @throws (rejects with) `token_invalid` where no key fits, `keys_unavailable` where none is known yet */
  keyFor(hint: KeyHint): Promise<KeyObject>;
  /** Why there is no set, or only an old one. */
  readonly fault: string | undefined;
  close(): void;
}

const maxBytes = 256 * 1024;

/** @param changed the set is another than before @throws Error for a URL that is not safe to ask */
export function createJwks(options: JwksOptions, changed: () => void): Jwks {
  const { log, refreshMs = 300_000, unknownKeyPauseMs = 30_000, retryMs = 1_000 } = options;
  const { timeoutMs = 5_000, now = clockNow } = options;
  const url = parseJwksUrl(options.url);
  const closed = new AbortController();
  let set: readonly VerificationKey[] | undefined;
  let fault: string | undefined;
  let failures = 0;
  let askedForUnknownAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** Who asks while another waits gets the same answer. */
  function load(): Promise<void> {
    clearTimeout(timer);
    loading ??= loadNow().finally(() => {
      loading = undefined;
      if (closed.signal.aborted) return;
      const pauseMs = failures === 0 ? refreshMs : Math.min(retryMs * 2 ** (failures - 1), unknownKeyPauseMs);
      timer = setTimeout(load, pauseMs).unref();
    });
    return loading;
  }

  async function loadNow(): Promise<void> {
    try {
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(timeoutMs)]);
      adopt(parseKeySet(await fetchText(url, maxBytes, signal)));
    } catch (error) {
      if (closed.signal.aborted) return;
      failures += 1;
      const then = set ? 'the old one counts on' : 'tokens cannot be checked';
      tell(`the key set at ${url.origin}${url.pathname} is not to be had (${reasonOf(error)}): ${then}`);
    }
  }

  function adopt(next: readonly VerificationKey[]): void {
    const isSame = set !== undefined && describeKeySet(set) === describeKeySet(next);
    set = next;
    failures = 0;
    if (!isSame) changed();
    if (!isSame || fault !== undefined)
      log?.(`the key set at ${url.origin}${url.pathname} is loaded: ${next.length} keys`);
    fault = undefined;
  }

  function tell(message: string): void {
    if (fault === undefined) log?.(message); // while it lasts the reason may differ: health has the last one
    fault = message;
  }

  async function loadForUnknown(): Promise<void> {
    if (!loading && now() - askedForUnknownAt < unknownKeyPauseMs) return;
    if (!loading) askedForUnknownAt = now();
    await load();
  }

  void load();
  return {
    async keyFor(hint) {
      if (!set) await loading;
      if (set && hint.kid !== undefined && !set.some(({ kid }) => kid === hint.kid)) await loadForUnknown();
      if (!set)
        throw regError('keys_unavailable', 'the keys that tokens are verified with are not known yet');
      const key = pickKey(set, hint);
      if (key === 'unknown') throw regError('token_invalid', 'no key of the issuer fits the token');
      if (key === 'ambiguous')
        throw regError('token_invalid', 'more than one key of the issuer fits the token');
      return key;
    },
    get fault() {
      return fault;
    },
    close() {
      closed.abort();
      clearTimeout(timer);
    },
  };
}

/** Who can change the answer on its way can sign for everybody. @throws Error that says what is wrong */
export function parseJwksUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new Error('the JWKS URL must be a URL, like https://issuer.example/jwks.json');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw new Error('the JWKS URL must not hold credentials');
  if (url.protocol === 'https:') return url;
  if (url.protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) return url;
  throw new Error('the JWKS URL must be https, or http on loopback');
}

/** fetch says only that it failed; the cause says why. */
function reasonOf(error: unknown): string {
  const { cause = error } = error as { readonly cause?: unknown };
  if (!(cause instanceof Error)) return 'no reason given';
  return cause.name === 'TimeoutError' ? 'no answer in time' : cause.message || cause.name;
}
