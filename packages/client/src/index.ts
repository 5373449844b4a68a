export type { Position } from '@reg/schema/position';
export { isRegError, type ProblemCode, type RegError } from '@reg/schema/problem';
export type {
  AuthorizedRoles,
  Change,
  ChangeSet,
  Endpoint,
  Instance,
  LeaseSetting,
  MeasuredLoad,
  Service,
  ServiceDefinition,
  Snapshot,
} from '@reg/schema/shapes';
export { type CatalogOptions, createCatalog, type RemoteCatalog } from './catalog.ts';
export { type DiscoverOptions, type Discovery, discover } from './discover.ts';
export type { RequestSource } from './in-flight.ts';
export { register, registerIfAsked, unregister } from './register.ts';
export type {
  RegisterOptions,
  Registration,
  RegistrationChanges,
  RegistrationState,
  ToldLoad,
  UnregisterOptions,
  Updated,
  UpdateOptions,
} from './registration.ts';
export type { TokenSource } from './token.ts';
export type { DiscoveredInstance } from './view.ts';
export { type WatchOptions, watch } from './watch.ts';
