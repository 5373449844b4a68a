// What a history must not say: a change is told once, no generation goes back or comes back once it ended, and nobody
// expires that was renewed. It may lack one: who saw it last may all have been killed before one of them wrote it down.
import type { HistoryEntry } from '@reg/schema';
import type { KnownRenewal } from './registrants.ts';

export interface Renewed {
  readonly service: string;
  readonly id: string;
  readonly renewals: readonly KnownRenewal[];
}

export function findingsInHistory(entries: readonly HistoryEntry[], renewed: readonly Renewed[]): string[] {
  const renewalsOf = new Map(renewed.map(({ service, id, renewals }) => [`${service}/${id}`, renewals]));
  const told = new Set<string>();
  const highest = new Map<string, number>();
  const ended = new Map<string, number>();
  const findings: string[] = [];
  let last = 0;
  for (const entry of entries) {
    const { revision, kind, service, instanceId, generation = 0 } = entry;
    if (revision < last) findings.push(`history: ${revision} after ${last}`);
    last = revision;
    if (instanceId === undefined) continue;
    const name = `${service}/${instanceId}`;
    const before = highest.get(name) ?? 0;
    const wrong = (why: string) =>
      findings.push(`history: ${kind} ${name} ${generation} at ${revision}, ${why}`);
    const change = `${revision} ${kind} ${name}`;
    if (told.has(change)) wrong('twice');
    told.add(change);
    if (generation < before) wrong(`after generation ${before}`);
    highest.set(name, Math.max(generation, before));
    if (kind === 'instance-registered' && ended.get(name) === generation) wrong('which had ended');
    if (kind === 'instance-unregistered' && !entry.force && entry.by !== 'hand') ended.set(name, generation);
    if (kind === 'instance-expired' && wasKept(entry, renewalsOf.get(name) ?? []))
      wrong('although it was renewed in time');
  }
  return findings;
}

/** Whoever is answered keeps the lease for another half of it, whatever becomes of the registry that answered. */
function wasKept({ at, generation, revision }: HistoryEntry, renewals: readonly KnownRenewal[]): boolean {
  const [from, to] = secondOf(revision);
  return renewals.some(
    (one) =>
      one.generation === generation &&
      one.answeredAt <= Math.max(at, from) &&
      Math.max(at, to) < one.askedAt + one.ttlMs / 2,
  );
}

/** In which the database did it: milliseconds since 1970. */
function secondOf(revision: number): readonly [from: number, to: number] {
  const from = Math.floor(revision / 2 ** 20) * 1_000 + Date.UTC(2020);
  return [from, from + 999];
}
