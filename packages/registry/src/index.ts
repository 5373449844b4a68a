export { canonicalPath } from './canonical-path.ts';
export { type Clock, createSystemClock } from './clock.ts';
export type { PathGrant } from './conflict.ts';
export type { Lease, RunName } from './lease.ts';
export { createMemoryStore, type MemoryStoreOptions } from './memory-store.ts';
export type { PathMove } from './move-path.ts';
export {
  createRegistry,
  type Registry,
  type RegistryOptions,
  type RenewalRequest,
  type Waiting,
} from './registry.ts';
export type { InstanceKey, InstanceName, Renewal, ServiceState, Store, View } from './store.ts';
export type { Writer } from './writer.ts';
