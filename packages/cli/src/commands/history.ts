// `reg history`: what happened, oldest first: who, what, when, why, from where.
import type { HistoryEntry } from '@reg/schema';
import { callRegistry, type RegistryAccess } from '../api.ts';
import { note, printJson, printLine } from '../print.ts';

export interface HistoryOptions extends RegistryAccess {
  readonly after?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

const limitAtMost = 1_000;

/** The latest; after a position, all that is kept since. */
export async function history(service: string | undefined, options: HistoryOptions): Promise<void> {
  const { registry, registryToken, limit, json } = options;
  let after = options.after;
  let printed = 0;
  for (;;) {
    const query = { service, after, limit: limit ?? (after === undefined ? undefined : String(limitAtMost)) };
    const { entries, next } = await callRegistry('history', { registry, registryToken, query });
    for (const entry of entries) {
      if (json) printJson(entry);
      else printLine(lineOf(entry));
    }
    printed += entries.length;
    const isAll = after === undefined || limit !== undefined || entries.length < limitAtMost;
    if (printed === 0 && isAll) note(`nothing is kept of ${service ?? 'any service'} at ${registry}`);
    if (isAll) return note(`read on with --after ${next}`);
    after = next;
  }
}

/** `2026-11-27T12:00:00.000Z  instance-unregistered  tickets  one  exit-code  by sub:ann  from 192.0.2.1` */
function lineOf(entry: HistoryEntry): string {
  const { at, kind, event, service, instanceId, by, from } = entry;
  return [
    new Date(at).toISOString(),
    event ?? kind,
    service,
    ...(instanceId === undefined ? [] : [instanceId]),
    ...whatOf(entry),
    ...(by === undefined ? [] : [`by ${by}`]),
    ...(from === undefined ? [] : [`from ${from}`]),
  ].join('  ');
}

function whatOf({ url, changed, endpoints, reason, text, data }: HistoryEntry): string[] {
  const figures = Object.entries(data ?? {}).map(([key, value]) => `${key}=${value}`);
  const news = changed && changed.length > 0 ? `new: ${changed.join(', ')}` : undefined;
  return [url, news, endpoints?.join(', '), text, figures.join(' '), reason].filter(
    (word) => word !== undefined && word !== '',
  ) as string[];
}
