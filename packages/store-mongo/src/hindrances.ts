// Why a document that is well-formed is not listed: somebody else has what it wants, or its time is over. Pure.
import {
  canonicalPath,
  checkReserved,
  claimNames,
  differingFields,
  type InstanceKey,
  instanceNameOf,
  type Lease,
  type View,
} from '@reg/registry';
import { canonicalAddress, isRegError, type ServiceDefinition, slug } from '@reg/schema';
import type { DocumentFault, ReadInstance } from './instance-document.ts';

export interface AddressTaken {
  readonly holder: InstanceKey;
  readonly fault: DocumentFault;
}

/** One process may serve several services: only another instance id is a stranger at this address. */
export function addressesTaken(view: View, { instance }: ReadInstance): AddressTaken[] {
  const taken: AddressTaken[] = [];
  for (const [index, { url }] of instance.endpoints.entries()) {
    for (const holder of view.addresses.get(canonicalAddress(url)) ?? []) {
      const { service, id } = instanceNameOf(holder);
      if (id === instance.instanceId) continue;
      const message = `is held by instance ${id} of ${service}`;
      taken.push({ holder, fault: { path: `endpoints.${index}.url`, message } });
    }
  }
  return taken;
}

/** The same rules as for who registers; who writes `/` into the database is the operator, and grants it so. */
export function claimByHand(
  view: View,
  definition: ServiceDefinition,
): { readonly giveWay: readonly string[] } | DocumentFault {
  const { name, url } = definition;
  try {
    checkReserved(url, name, [{ path: '/', service: name }]);
    return { giveWay: claimNames(view, definition) };
  } catch (error) {
    const [first] = isRegError(error) ? (error.errors ?? []) : [];
    if (!first) throw error;
    return { path: first.field, message: first.message };
  }
}

/** Who has its path, or its slug. */
export function holdersOf(view: View, { name, url }: ServiceDefinition): string[] {
  const holders = new Set([view.paths.get(canonicalPath(url)), view.slugs.get(slug(name))]);
  return [...holders].filter((holder) => holder !== undefined && holder !== name) as string[];
}

export function differenceFrom(
  current: ServiceDefinition,
  wanted: ServiceDefinition,
): DocumentFault | undefined {
  const [field] = differingFields(current, wanted);
  if (field === undefined) return undefined;
  return { path: field, message: `differs from that of the living instances of ${current.name}` };
}

/**
 * Its registry had not seen yet how a later run came and went: no generation is given twice, nor a lower one.
 * @param last what is buried under its name
 */
export function outlived({ instance }: ReadInstance, last: Lease | undefined): DocumentFault | undefined {
  const { generation, runId } = instance;
  if (!last || generation > last.generation) return undefined;
  const goesOn = generation === last.generation && runId === last.runId && !last.gone?.ended;
  if (goesOn) return undefined;
  return { path: 'reg.generation', message: `is not above ${last.generation}, which has ended` };
}
