// What is wrong with the store, as health tells it: what it did not take, that it is away, what it holds and
// nobody can read.
import type { HealthReason, RegistryHealth } from '@reg/schema';
import type { StoreCondition } from './store.ts';

type Task = 'write' | 'renewal';

export interface StoreFault {
  readonly text: string;
  /** Of the first of a row, in milliseconds since 1970. */
  readonly since: number;
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
      faults.set(task, { text, since: faults.get(task)?.since ?? now() });
    },
    list: () => [...faults.values()],
  };
}

/** A store that says how it fares knows better than what the last write met, which may be long past. */
export function storeReasons(
  condition: StoreCondition | undefined,
  faults: readonly StoreFault[],
): HealthReason[] {
  const texts = new Map<string, HealthReason>();
  for (const { text, since } of condition?.faults ?? faults) {
    if (!texts.has(text)) texts.set(text, { code: 'store_unavailable', text, since });
  }
  const count = condition?.invalidCount ?? 0;
  if (count === 0) return [...texts.values()];
  const text = `${count} ${count === 1 ? 'document is' : 'documents are'} left alone: reg services --invalid says why`;
  return [...texts.values(), { code: 'invalid_documents', text }];
}

export function invalidIn(condition: StoreCondition | undefined): Pick<RegistryHealth, 'invalid'> {
  const { invalid = [], invalidCount = 0 } = condition ?? {};
  if (invalidCount === 0) return {};
  return { invalid: { count: invalidCount, documents: invalid.slice(0, documentsShown) } };
}
