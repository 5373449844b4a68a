// The history and its notes, as documents. The registry writes these; what is none, since a person put it there, is
// left alone.
import { type PlacedEntry, placedEntry, placeOf } from '@reg/registry';
import { type HistoryEntry, historyEntry, type Note } from '@reg/schema';
import * as z from 'zod';

const { revision, at, kind } = historyEntry.shape;
const entry = z.looseObject({ revision, at, kind, service: z.string(), index: z.int().min(0) });
const place = z.object({ revision, index: z.int() });
const noted = z.looseObject({ service: z.string(), event: z.string(), text: z.string() });

export function readEntries(entries: unknown): PlacedEntry[] {
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((one: unknown) => {
    const fits = entry.safeParse(one);
    if (!fits.success) return [];
    const { index, ...rest } = fits.data;
    return [placedEntry(rest as HistoryEntry, index)];
  });
}

/** Of entries of which no more than that was read. */
export function readPlaces(entries: unknown): string[] {
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((one: unknown) => {
    const fits = place.safeParse(one);
    return fits.success ? [placeOf(fits.data)] : [];
  });
}

/** @returns undefined where there are none */
export function readNotes(notes: unknown): readonly Note[] | undefined {
  const fits = z.array(noted).safeParse(notes);
  return fits.success ? (fits.data as Note[]) : undefined;
}
