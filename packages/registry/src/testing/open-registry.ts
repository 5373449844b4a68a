import { isRegError, type Position, type ProblemCode, type RegistrationBody } from '@reg/schema';
import { createMemoryStore } from '../memory-store.ts';
import { createRegistry, type Registry, type RegistryOptions } from '../registry.ts';
import type { InstanceName, Store } from '../store.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';

export interface OpenedRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly store: Store;
  readonly clock: FakeClock;
}

/** A registry over a fresh store in memory, on a fake clock. */
export function openRegistry(
  options: Partial<Omit<RegistryOptions, 'store' | 'clock'>> = {},
): OpenedRegistry {
  const clock = createFakeClock();
  const store = createMemoryStore({ clock });
  const registry = createRegistry({ store, clock, ...options });
  return { registry, store, clock, [Symbol.asyncDispose]: () => registry.close() };
}

/** A name and a body that clash with no other's. */
export function nameOf(service: string, id: string): InstanceName {
  return { service, id };
}

export function bodyOf(
  { service, id }: InstanceName,
  more: Partial<RegistrationBody> = {},
): RegistrationBody {
  return {
    url: `/${service}`,
    endpoints: [{ type: 'http', url: `http://${id}.test:3000/${service}` }],
    authorizedRoles: ['reader'],
    ...more,
  };
}

/** The code of the refusal; undefined where it was none. */
export async function refusal(asked: Promise<unknown> | (() => unknown)): Promise<ProblemCode | undefined> {
  try {
    await (typeof asked === 'function' ? asked() : asked);
    return undefined;
  } catch (error) {
    if (isRegError(error)) return error.code;
    throw error;
  }
}

/** The kinds of the changes after a position. */
export async function kindsAfter(registry: Registry, after: Position): Promise<string[][]> {
  const { revision } = registry.position();
  const kinds: string[][] = [];
  if (revision === after.revision) return kinds;
  for await (const set of registry.changes(after, new AbortController().signal)) {
    kinds.push(set.changes.map(({ kind }) => kind));
    if (set.revision === revision) break;
  }
  return kinds;
}
