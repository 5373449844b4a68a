// Pure: why a part's answer cannot be merged. A reason is a word in `X-Reg-Partial`; none tells an address.
import { headerValues, type RawHeaders } from '../headers/raw-headers.ts';

/** Of one part's answer: all of them are held in memory until the last is there. */
export const maxPartBytes = 1024 * 1024;

/** Known from the head alone, so the body need not be read. */
export function headFault(status: number, headers: RawHeaders): string | undefined {
  if (status < 200 || status > 299) return `status-${status}`;
  const [type = ''] = headerValues(headers, 'content-type');
  if (!/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type)) return 'not-json';
  const [coding = 'identity'] = headerValues(headers, 'content-encoding');
  if (coding.toLowerCase() !== 'identity') return 'encoded'; // it was asked for plain bytes
  return undefined;
}

/** @param as undefined: its members are merged in, so it must have some */
export function textFault(text: string, as: string | undefined): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not-json';
  }
  if (as !== undefined) return undefined;
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'not-an-object';
}
