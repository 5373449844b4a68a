export { type RegistryAppOptions, registryApp } from './app.ts';
export type { Credentials } from './credentials.ts';
export type { AccessLine, ErrorLine, Log } from './log.ts';
export { createRegistryServer, type RegistryServer, type RegistryServerOptions } from './server.ts';
