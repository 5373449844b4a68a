export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type { RawHeaders } from './headers/raw-headers.ts';
export { parseRegistryPath, type RegistryPathOptions } from './registry-path.ts';
export { type AccessRecord, formatJson, formatPretty } from './stages/observe.ts';
export { type JwksOptions, parseJwksUrl } from './tokens/jwks.ts';
export { parseSecret } from './tokens/secret.ts';
export {
  createTokenVerifier,
  type Principal,
  type TokenVerifier,
  type TokenVerifierOptions,
} from './tokens/verifier.ts';
export type { ListenOptions, NodeHandler, NodeUpgradeHandler } from './transport/node-server.ts';
