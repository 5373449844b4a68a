// The registry as the catalog of a gateway in the same process: function calls, and no network.
import { type Catalog, isRegError, regError } from '@reg/schema';
import type { Registry } from './registry.ts';

type Followed = Pick<Registry, 'snapshot' | 'changes' | 'reportApplied' | 'reportLoad'>;

/** @param fault of the store, for gateways */
export function catalogOf(
  registry: Followed,
  gateway: string,
  fault: NonNullable<Catalog['fault']>,
): Catalog {
  return {
    async snapshot() {
      return registry.snapshot();
    },
    async *changes(after, signal) {
      yield* registry.changes(after, signal, gateway);
      if (!signal.aborted) throw regError('registry_unavailable', 'the registry is closed');
    },
    async applied(position) {
      try {
        registry.reportApplied(gateway, position);
      } catch {
        // One gateway too many: `changes` has refused it, so nobody waits for its word.
      }
    },
    fault,
    async loads(all) {
      for (const { service, isScaled: _, ...measured } of all) {
        try {
          registry.reportLoad(service, { gateway, ...measured });
        } catch (error) {
          if (!isRegError(error)) throw error; // gone since it was measured, or too many say something of it
        }
      }
    },
  };
}
