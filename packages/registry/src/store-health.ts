// What is wrong with the store, as health tells it: what it did not take, that it is away, what it holds and
// nobody can read.
import type { HealthReason, RegistryHealth } from '@reg/schema';
import type { StoreCondition } from './store.ts';

type Task = 'write' | 'renewal';

export interface StoreFault {
  readonly text: string;
  /** Of the first of a row, in milliseconds since 1970. */
  readonly since: number;
  readonly lastAt: number;
}

export interface StoreFaults {
  worked(task: Task): void;
  failed(task: Task, text: string): void;
  list(): readonly StoreFault[];
}

const documentsShown = 100;

export function createStoreFaults(now: () => number): StoreFaults {
  const faults = new Map<Task, StoreFault>();
  return {
    worked(task) {
      faults.delete(task);
    },
    failed(task, text) {
      faults.set(task, { text, since: faults.get(task)?.since ?? now(), lastAt: now() });
    },
    list: () => [...faults.values()],
  };
}

/** A fault from before the store came back is over, though nobody has written since. */
export function storeReasons(
  condition: StoreCondition | undefined,
  faults: readonly StoreFault[],
): HealthReason[] {
  const { awaySince, backSince = Number.NEGATIVE_INFINITY, invalid = [] } = condition ?? {};
  const texts = new Map<string, HealthReason>();
  if (awaySince !== undefined) {
    const text = 'the store does not answer';
    texts.set(text, { code: 'store_unavailable', text, since: awaySince });
  }
  for (const { text, since, lastAt } of faults) {
    if (lastAt >= backSince && !texts.has(text)) texts.set(text, { code: 'store_unavailable', text, since });
  }
  const { length } = invalid;
  if (length === 0) return [...texts.values()];
  const text = `${length} ${length === 1 ? 'document is' : 'documents are'} left alone: reg services --invalid says why`;
  return [...texts.values(), { code: 'invalid_documents', text }];
}

export function invalidIn(condition: StoreCondition | undefined): Pick<RegistryHealth, 'invalid'> {
  const { invalid = [] } = condition ?? {};
  if (invalid.length === 0) return {};
  return { invalid: { count: invalid.length, documents: invalid.slice(0, documentsShown) } };
}
