export { checkHttp } from './checks/http.ts';
export { type CheckSchedule, createCheckSchedule } from './checks/schedule.ts';
export { explainPolicy, type PolicyValue } from './policies/explain-policy.ts';
export { type ParsedPolicy, type PolicyFault, parsePolicy } from './policies/parse-policy.ts';
export type { Policy } from './policies/policy.ts';
export { type BrokenFile, type Policies, readPolicyFolder } from './policies/policy-folder.ts';
export { policyJsonSchema } from './policies/policy-json-schema.ts';
export { type Action, reconcile, type Situation } from './reconcile.ts';
export { createRegistrar, type Registrar, type RegistrarOptions } from './registrar.ts';
