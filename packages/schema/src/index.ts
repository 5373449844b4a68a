export { canonicalAddress, hostnameOf, instanceIdOf } from './address.ts';
export type { Catalog } from './catalog.ts';
export { type Change, type ChangeSet, change, changeSet, revision, serviceOf } from './change.ts';
export { type Body, contract, type Query, type Reply } from './contract.ts';
export { formatCursor, type HistoryCursor, parseCursor } from './cursor.ts';
export { defaultLeaseMs, policyDefaults } from './defaults.ts';
export { parseDurationMs } from './duration.ts';
export { type Endpoint, endpoint, endpointTypes } from './endpoint.ts';
export type {
  ExplainedInstance,
  ExplainQuestion,
  Explanation,
  GatewayReasons,
  NearMiss,
} from './explanation.ts';
export {
  type FullHealth,
  type GatewayHealth,
  type HealthCheck,
  type HealthReason,
  type HealthSummary,
  type InvalidDocument,
  type RegistryHealth,
  summarize,
} from './health.ts';
export {
  type HistoryEntry,
  type HistoryPage,
  historyEntry,
  type Note,
  note,
  notesAtOnce,
} from './history.ts';
export { type Instance, instance, instanceState, type ListedInstance, listedInstance } from './instance.ts';
export { generation, type LeaseSetting, type LoopLoad, leaseSetting } from './lease.ts';
export {
  type LoadFigures,
  type LoadReport,
  loadReport,
  type MeasuredLoad,
  type ServiceLoad,
} from './load.ts';
export { gatewayId, instanceId, role, runId, serviceName, tag } from './names.ts';
export { type OpenapiDocument, openapi } from './openapi.ts';
export {
  bodyCodes,
  commonCodes,
  type Operation,
  type OperationName,
  operationPath,
  operations,
  possibleCodes,
} from './operations.ts';
export { type Check, check, type ServicePolicy, servicePolicy } from './policy.ts';
export { formatPosition, type Position, parsePosition } from './position.ts';
export {
  type FieldFault,
  isRegError,
  type Problem,
  type ProblemCode,
  problems,
  type RegError,
  type RegErrorOptions,
  regError,
  toProblem,
} from './problem.ts';
export {
  type OwnRegistration,
  ownRegistration,
  type Registration,
  type RegistrationBody,
  registration,
  registrationBody,
} from './registration.ts';
export {
  namesService,
  type RegistryClaims,
  registryAudience,
  registryClaims,
  servicePattern,
} from './registry-token.ts';
export {
  type AuthorizedRoles,
  access,
  authorizedRoles,
  formerUrlsKept,
  publicPath,
  type ServiceDefinition,
  serviceDefinition,
  wantedInstances,
} from './service.ts';
export type { DrainReply, RegisterReply, RenewReply } from './shapes.ts';
export { slug } from './slug.ts';
export {
  epoch,
  type ListedService,
  listedService,
  type Service,
  type ServiceList,
  type ServiceListing,
  type Snapshot,
  service,
  serviceList,
  serviceListing,
  snapshot,
} from './snapshot.ts';
export { type KnownFigures, largerFigures, loudest, sumFigures } from './sum-loads.ts';
export { text } from './text.ts';
