// Answers kept for a time without instances: bounded in bytes, the least used go first. Whose each one is and
// whether it may be kept is for others to say; here a key is a key.
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';

export interface KeptAnswer {
  /** As they go to the client, without those that say how old or how long it is. */
  readonly headers: RawHeaders;
  readonly content: Buffer;
  /** Milliseconds since 1970. */
  readonly keptAt: number;
  /** How old it was then, by its own word (RFC 9111 §5.1). */
  readonly ageAtFirstMs: number;
  /** Fields of the request that it depends on, in lower case, and what they were (RFC 9111 §4.1). */
  readonly varies: readonly (readonly [name: string, value: string])[];
}

export interface KeptAnswers {
  keep(key: string, answer: KeptAnswer): void;
  /** @param headers of the request; undefined: whatever they are, the newest. @returns one that is not older */
  find(
    key: string,
    headers: RawHeaders | undefined,
    maxAgeMs: number,
    now: number,
  ): { readonly answer: KeptAnswer; readonly ageMs: number } | undefined;
  /** The service says that it still holds (RFC 9111 §4.3.4): its age begins anew where that is the one meant. */
  confirm(key: string, headers: RawHeaders, etag: string, now: number): void;
  /** Of all that is kept. */
  readonly bytes: number;
}

/** Of one key, by what they vary in; the oldest goes. */
const variantsAtMost = 8;

/** What an entry costs beside its texts, roughly. */
const entryBytes = 512;

export function createKeptAnswers(maxBytes: number): KeptAnswers {
  /** In the order of their last use. */
  const kept = new Map<string, readonly KeptAnswer[]>();
  let bytes = 0;

  function put(key: string, variants: readonly KeptAnswer[]): void {
    drop(key);
    if (variants.length === 0) return;
    kept.set(key, variants);
    bytes += sizeOf(key, variants);
  }

  function drop(key: string): void {
    const variants = kept.get(key);
    if (!variants) return;
    kept.delete(key);
    bytes -= sizeOf(key, variants);
  }

  return {
    keep(key, answer) {
      const others = (kept.get(key) ?? []).filter(({ varies }) => !isSame(varies, answer.varies));
      put(key, [answer, ...others].slice(0, variantsAtMost));
      for (const oldest of kept.keys()) {
        if (bytes <= maxBytes) return;
        drop(oldest);
      }
    },
    find(key, headers, maxAgeMs, now) {
      const variants = kept.get(key);
      const answer = variants?.find(({ varies }) => headers === undefined || fits(varies, headers));
      if (!variants || !answer) return undefined;
      const ageMs = answer.ageAtFirstMs + Math.max(0, now - answer.keptAt);
      if (ageMs > maxAgeMs) return undefined;
      if (headers !== undefined) put(key, variants); // used last
      return { answer, ageMs };
    },
    confirm(key, headers, etag, now) {
      const variants = kept.get(key);
      const meant = variants?.find(
        (one) => fits(one.varies, headers) && fieldText(one.headers, 'etag') === etag,
      );
      if (!variants || !meant) return;
      const confirmed = { ...meant, keptAt: now, ageAtFirstMs: 0 };
      put(
        key,
        variants.map((one) => (one === meant ? confirmed : one)),
      );
    },
    get bytes() {
      return bytes;
    },
  };
}

/** What a field says, all its lines together: whoever compares them needs no more. */
export function fieldText(headers: RawHeaders, name: string): string {
  return headerValues(headers, name).join(', ');
}

function fits(varies: KeptAnswer['varies'], headers: RawHeaders): boolean {
  return varies.every(([name, value]) => fieldText(headers, name) === value);
}

function isSame(one: KeptAnswer['varies'], other: KeptAnswer['varies']): boolean {
  return one.length === other.length && one.every(([name, value], at) => isPair(other[at], name, value));
}

function isPair(pair: readonly [string, string] | undefined, name: string, value: string): boolean {
  return pair?.[0] === name && pair[1] === value;
}

function sizeOf(key: string, variants: readonly KeptAnswer[]): number {
  const length = (texts: readonly string[]) => texts.reduce((sum, text) => sum + text.length, 0);
  return variants.reduce(
    (sum, { headers, content, varies }) =>
      sum + entryBytes + content.byteLength + length(headers) + length(varies.flat()),
    key.length,
  );
}
