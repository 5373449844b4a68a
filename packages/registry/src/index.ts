export { canonicalPath } from './canonical-path.ts';
export { type ChangeLog, createChangeLog } from './change-log.ts';
export { checkReplaced } from './check-replaced.ts';
export { type Clock, createSystemClock } from './clock.ts';
export { checkReserved, claimNames, differingFields, type PathGrant } from './conflict.ts';
export {
  createHistory,
  type History,
  type HistoryOptions,
  type HistoryQuery,
  type HistoryReader,
  isNote,
  type Origin,
  type PlacedEntry,
  placedEntry,
  placeOf,
} from './history.ts';
export { buryLease, goneBy, type Lease, leaseOf, type RunName } from './lease.ts';
export { createMemoryStore, type MemoryStoreOptions } from './memory-store.ts';
export type { PathMove } from './move-path.ts';
export {
  createRegistry,
  type Registry,
  type RegistryOptions,
  type RenewalRequest,
  type Waiting,
} from './registry.ts';
export { outlivesInstances, type Settings, settingsOf, withSettings } from './settings.ts';
export {
  type InstanceKey,
  type InstanceName,
  instanceKey,
  instanceNameOf,
  type Raced,
  type Renewal,
  type ServiceState,
  type Store,
  type StoreCondition,
  type View,
} from './store.ts';
export { createView, type KeptState, type MutableView } from './view.ts';
export type { Asking, Writer } from './writer.ts';
