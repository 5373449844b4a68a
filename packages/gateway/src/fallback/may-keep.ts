// Pure: may this answer be given again, to the same question, at a time when nobody can be asked? Who made it
// says no by RFC 9111's words; where they leave a doubt, the answer is no.
import { kindOf } from '../headers/field-kind.ts';
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';

/** Of an answer; a longer one passes and is not kept. */
export const maxKeptBytes = 1024 * 1024;

/** `private`: for one caller's own memory. The last three: never without asking again (RFC 9111 §4.2.4). */
const refusing = new Set(['no-store', 'private', 'no-cache', 'must-revalidate', 'proxy-revalidate']);

/** It is of this moment, of one caller, or not whole. */
const telltale = ['set-cookie', 'set-cookie2', 'x-reg-degraded', 'x-reg-partial'];

export interface KeepQuestion {
  readonly method: string;
  readonly requestHeaders: RawHeaders;
  readonly status: number;
  /** As the upstream sent them. */
  readonly headers: RawHeaders;
}

export function mayKeep({ method, requestHeaders, status, headers }: KeepQuestion): boolean {
  if (method !== 'GET' || status !== 200) return false;
  if (directives(requestHeaders).has('no-store')) return false;
  for (const directive of directives(headers)) if (refusing.has(directive)) return false;
  if (telltale.some((name) => headerValues(headers, name).length > 0)) return false;
  if (!varyNames(headers).every(isOfTheCaller)) return false;
  const [length] = headerValues(headers, 'content-length');
  if (length === undefined && headerValues(headers, 'transfer-encoding').length === 0) return false; // whole? who knows
  if (length !== undefined && !(Number(length) <= maxKeptBytes)) return false;
  return !headerValues(headers, 'content-type').some((type) => /^text\/event-stream\b/i.test(type)); // endless
}

/** Lower-case names of request fields that it depends on, sorted, each once. */
export function varyNames(headers: RawHeaders): string[] {
  const named = headerValues(headers, 'vary').flatMap((value) => value.toLowerCase().split(','));
  const names = new Set(['host', ...named.map((name) => name.trim())]); // it may make links of it
  if (headerValues(headers, 'content-encoding').length > 0) names.add('accept-encoding');
  names.delete('');
  return [...names].sort();
}

/** `*` is none, and what only the gateway says to an upstream (`X-Reg-Subject`) is in no request to compare. */
function isOfTheCaller(name: string): boolean {
  return name !== '*' && (name === 'host' || kindOf(name) === 'plain');
}

/** Names alone: `private="set-cookie"` counts as `private`. */
function directives(headers: RawHeaders): Set<string> {
  const all = headerValues(headers, 'cache-control').flatMap((value) => value.split(','));
  return new Set(all.map((one) => (one.split('=')[0] ?? '').trim().toLowerCase()));
}
