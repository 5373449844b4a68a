export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type { RawHeaders } from './headers/raw-headers.ts';
export type { Health } from './health.ts';
export { type AccessRecord, formatJson, formatPretty } from './stages/observe.ts';
export { parseSecret } from './tokens/secret.ts';
export {
  createTokenVerifier,
  type Principal,
  type TokenVerifier,
  type TokenVerifierOptions,
} from './tokens/verifier.ts';
export type { ListenOptions, NodeHandler, NodeUpgradeHandler } from './transport/node-server.ts';
