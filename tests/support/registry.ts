// The real registry, for tests of packages that must not depend on it.
export { createMemoryStore, createRegistry, type Registry } from '@reg/registry';
export { createRegistryServer, type RegistryServer } from '@reg/registry/http';
