// The inferred types by name, and nothing else. The build writes `dist/shapes.d.ts` out as plain
// interfaces (scripts/plain-types.mjs), so that who needs only the types needs no zod.
import type { Reply } from './contract.ts';

export type { Change, ChangeSet } from './change.ts';
export type { Endpoint } from './endpoint.ts';
export type { HistoryEntry, HistoryPage, Note } from './history.ts';
export type { Instance, ListedInstance } from './instance.ts';
export type { LeaseSetting, LoopLoad } from './lease.ts';
export type { LoadReport, MeasuredLoad, ServiceLoad } from './load.ts';
export type { Registration, RegistrationBody } from './registration.ts';
export type { AuthorizedRoles, ServiceDefinition } from './service.ts';
export type { ListedService, Service, ServiceList, ServiceListing, Snapshot } from './snapshot.ts';
export type RegisterReply = Reply<'register'>;
export type RenewReply = Reply<'renew'>;
export type DrainReply = Reply<'drain'>;
