export { type RegistryAppOptions, registryApp } from './app.ts';
export type { Credentials } from './credentials.ts';
export type { AccessLine, ErrorLine, Log } from './log.ts';
export {
  type AdminServerOptions,
  createAdminServer,
  createRegistryServer,
  type RegistryServer,
  type RegistryServerOptions,
} from './server.ts';
