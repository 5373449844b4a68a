import type { IncomingMessage } from 'node:http';

/**
 * Each as it was sent: of what comes twice node's `headers` keeps one, or joins them. `headersDistinct` would
 * tell too, and costs more than all else that is read of a head.
 * @param name in lower case
 */
export function headerValues({ rawHeaders }: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at] ?? '';
    if (sent.length === name.length && sent.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? '');
  }
  return values;
}
