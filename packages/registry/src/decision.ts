import type { Change } from '@reg/schema';
import type { InstanceKey } from './store.ts';

/** What a rule decided: changes that hold together, and whom they replace (see `Store.write`). */
export interface Decision {
  /** Empty: what was asked for is so already. */
  readonly changes: readonly Change[];
  readonly replaces: ReadonlyMap<InstanceKey, number>;
}

export const nothingToDo: Decision = { changes: [], replaces: new Map() };
