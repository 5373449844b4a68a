// What happened and what was noted, in memory: two rings under one order, so that notes, however many, push out
// no change. The order is that of revisions, and within one that in which things came.
import { isDeepStrictEqual } from 'node:util';
import {
  type Change,
  type ChangeSet,
  formatCursor,
  type HistoryCursor,
  type HistoryEntry,
  type HistoryPage,
  type Note,
  type Position,
  regError,
  type ServiceDefinition,
  serviceOf,
} from '@reg/schema';
import { firstWhere } from './first-where.ts';

/** Who asked for something, and from where; what is left out is not known. */
export interface Origin {
  /** `operator`, `sub:NAME`, `jti:ID`, `registry`, `hand` */
  readonly by?: string | undefined;
  /** An address. */
  readonly from?: string | undefined;
}

export interface HistoryQuery {
  /** Left out: of all. */
  readonly service?: string | undefined;
  /** Left out: the latest. */
  readonly after?: HistoryCursor | undefined;
  /** All entries of one revision come together, so there may be some more. @default 100 */
  readonly limit?: number | undefined;
}

/** An entry and its place. */
export interface PlacedEntry {
  readonly revision: number;
  readonly index: number;
  readonly kind: HistoryEntry['kind'];
  readonly service: string;
  /** Of a change it is made each time somebody reads it: each write comes by here, and few are ever read. */
  readonly entry: HistoryEntry;
}

export function placedEntry(entry: HistoryEntry, index: number): PlacedEntry {
  const { revision, kind, service } = entry;
  return { revision, index, kind, service, entry };
}

export const isNote = ({ kind }: Pick<PlacedEntry, 'kind'>) => kind === 'note';

/** No two entries of one epoch have the same. */
export function placeOf({ revision, index }: Pick<PlacedEntry, 'revision' | 'index'>): string {
  return `${revision}.${index}`;
}

/** What a store promises of its history. */
export interface HistoryReader {
  /** Oldest first. @throws `compacted`: `after` is of another epoch, or what came next is not kept any more */
  read(query: HistoryQuery): HistoryPage;
}

export interface History extends HistoryReader {
  append(set: ChangeSet, origin?: Origin): readonly PlacedEntry[];
  /** @param revision at which they were noted: not below that of anything before */
  note(notes: readonly Note[], origin: Origin, revision: number, at: number): readonly PlacedEntry[];
  /**
   * Takes what a store kept, in any order, beside what is here already.
   * @param droppedUpTo changes up to this revision are not all kept
   */
  restore(kept: readonly PlacedEntry[], droppedUpTo: number): void;
  /** What services are, where that was not told by changes: so the next change of one tells what is new. */
  begin(definitions: Iterable<ServiceDefinition>): void;
  /** A new epoch: what was before is gone. */
  clear(): void;
}

export interface HistoryOptions {
  /** Change entries kept at least; up to twice as many are. @default 10_000 */
  readonly changesKept?: number;
  /** @default 5_000 */
  readonly notesKept?: number;
}

/** @param position that of the view, asked with each reading */
export function createHistory(
  position: () => Position,
  { changesKept = 10_000, notesKept = 5_000 }: HistoryOptions = {},
): History {
  const changes = createRing(changesKept);
  const notes = createRing(notesKept);
  const definitions = new Map<string, ServiceDefinition>();
  let last: PlacedEntry | undefined;

  /** @returns the index of what comes next at this revision */
  function nextIndex(revision: number): number {
    return last?.revision === revision ? last.index + 1 : 0;
  }

  /** @returns which members of a service's definition are new; undefined where it is new as a whole */
  function changedBy(change: Change): string[] | undefined {
    if (change.kind === 'service-removed') definitions.delete(change.service);
    if (change.kind !== 'service-updated') return undefined;
    const { service } = change;
    const before = definitions.get(service.name);
    definitions.set(service.name, service);
    return before && differingMembers(before, service);
  }

  return {
    append(set, origin = {}) {
      const first = nextIndex(set.revision);
      const placed = set.changes.map(
        (change, at) => new ChangeEntry(set, change, first + at, origin, changedBy(change)),
      );
      changes.push(placed);
      last = placed.at(-1) ?? last;
      return placed;
    },
    note(all, { by, from }, atLeast, at) {
      const revision = Math.max(atLeast, last?.revision ?? 0);
      const first = nextIndex(revision);
      const placed = all.map((note, index) =>
        placedEntry({ revision, at, kind: 'note', ...note, ...known({ by, from }) }, first + index),
      );
      notes.push(placed);
      last = placed.at(-1) ?? last;
      return placed;
    },
    restore(kept, droppedUpTo) {
      changes.merge(
        kept.filter((one) => !isNote(one)),
        droppedUpTo,
      );
      notes.merge(kept.filter(isNote), droppedUpTo);
      const newest = [changes.newest(), notes.newest()].filter((one) => one !== undefined);
      last = newest.sort(inOrder).at(-1);
    },
    begin(known) {
      definitions.clear();
      for (const definition of known) definitions.set(definition.name, definition);
    },
    clear() {
      changes.clear();
      notes.clear();
      last = undefined;
    },
    read({ service, after, limit = 100 }) {
      const { epoch, revision } = position();
      if (after && after.epoch !== epoch)
        throw regError('compacted', 'this history is of another epoch: read without after');
      if (after && after.revision < changes.droppedUpTo())
        throw regError('compacted', 'what came next is not kept any more: read without after');
      const rings = [changes.all(), notes.all()].map((kept) => {
        const from = after
          ? firstWhere(kept, (one) => isAfter(one, after))
          : service === undefined
            ? -limit
            : 0;
        return kept.slice(from);
      });
      const found = rings
        .flat()
        .sort(inOrder)
        .filter((one) => service === undefined || one.service === service);
      const page = after ? firstOf(found, limit) : found.slice(-limit);
      const isLast = page.length === found.length || !after;
      const end = isLast ? last : page.at(-1);
      const next = end
        ? { epoch, revision: end.revision, index: end.index }
        : (after ?? { epoch, revision, index: undefined });
      return { epoch, revision, entries: page.map(({ entry }) => entry), next: formatCursor(next) };
    },
  };
}

/** A revision is not cut in two. */
function firstOf(found: readonly PlacedEntry[], limit: number): readonly PlacedEntry[] {
  const lastRevision = found[limit - 1]?.revision;
  if (lastRevision === undefined) return found;
  let end = limit;
  while (found[end]?.revision === lastRevision) end++;
  return found.slice(0, end);
}

interface Ring {
  push(entries: readonly PlacedEntry[]): void;
  merge(entries: readonly PlacedEntry[], upTo: number): void;
  all(): readonly PlacedEntry[];
  newest(): PlacedEntry | undefined;
  /** Entries up to this revision are not all here. */
  droppedUpTo(): number;
  clear(): void;
}

function createRing(capacity: number): Ring {
  let kept: PlacedEntry[] = [];
  let droppedUpTo = 0;

  function drop(): void {
    if (kept.length < 2 * capacity) return;
    const dropped = kept.splice(0, kept.length - capacity);
    droppedUpTo = dropped.at(-1)?.revision ?? droppedUpTo;
  }

  return {
    push(entries) {
      kept.push(...entries);
      drop();
    },
    merge(entries, upTo) {
      const places = new Map([...kept, ...entries].map((one) => [placeOf(one), one]));
      kept = [...places.values()].sort(inOrder);
      droppedUpTo = upTo;
      drop();
    },
    all: () => kept,
    newest: () => kept.at(-1),
    droppedUpTo: () => droppedUpTo,
    clear() {
      kept = [];
      droppedUpTo = 0;
    },
  };
}

function inOrder(one: PlacedEntry, other: PlacedEntry): number {
  return one.revision - other.revision || one.index - other.index;
}

function isAfter(one: PlacedEntry, after: HistoryCursor): boolean {
  if (one.revision !== after.revision) return one.revision > after.revision;
  return after.index === undefined ? isNote(one) : one.index > after.index;
}

function differingMembers(before: ServiceDefinition, after: ServiceDefinition): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof ServiceDefinition>;
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]));
}

class ChangeEntry implements PlacedEntry {
  readonly revision: number;
  readonly index: number;
  readonly #change: Change;
  readonly #at: number;
  readonly #origin: Origin;
  readonly #changed: string[] | undefined;

  constructor(
    { revision, at }: ChangeSet,
    change: Change,
    index: number,
    origin: Origin,
    changed: string[] | undefined,
  ) {
    this.revision = revision;
    this.index = index;
    this.#change = change;
    this.#at = at;
    this.#origin = origin;
    this.#changed = changed;
  }

  get kind(): Change['kind'] {
    return this.#change.kind;
  }

  get service(): string {
    return serviceOf(this.#change);
  }

  get entry(): HistoryEntry {
    return entryOf(this.#change, this.revision, this.#at, this.#origin, this.#changed);
  }
}

function entryOf(
  change: Change,
  revision: number,
  at: number,
  { by, from }: Origin,
  changed: string[] | undefined,
): HistoryEntry {
  const entry: HistoryEntry = { revision, at, kind: change.kind, service: serviceOf(change) };
  if (change.kind === 'service-updated') {
    entry.url = change.service.url;
    if (changed) entry.changed = changed;
  } else if ('instance' in change) {
    const { instanceId, generation, endpoints, version, owner } = change.instance;
    entry.instanceId = instanceId;
    entry.generation = generation;
    entry.endpoints = endpoints.map(({ url }) => url);
    if (version !== undefined) entry.version = version;
    if (owner !== undefined) entry.owner = owner;
  } else if ('instanceId' in change) {
    entry.instanceId = change.instanceId;
    entry.generation = change.generation;
  }
  if ('reason' in change && change.reason !== undefined) entry.reason = change.reason;
  if ('force' in change && change.force) entry.force = change.force;
  if (by !== undefined) entry.by = by;
  if (from !== undefined) entry.from = from;
  return entry;
}

type Known<Fields> = { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };

/** Without what is undefined. */
function known<Fields extends object>(fields: Fields): Known<Fields> {
  const result: Partial<Fields> = {};
  for (const key in fields) if (fields[key] !== undefined) result[key] = fields[key];
  return result as Known<Fields>;
}
