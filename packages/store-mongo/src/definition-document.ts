// What a service shares, as a document. The registry writes these; one that somebody edited by hand is read
// with the same care as an instance.
import { type ServiceDefinition, serviceDefinition } from '@reg/schema';
import * as z from 'zod';
import { type DocumentFault, faultOf } from './instance-document.ts';

const shape = z.object({ ...serviceDefinition.omit({ name: true }).shape, write: z.string() });

export function readDefinition(
  name: string,
  document: object,
): { readonly definition: ServiceDefinition; readonly write: string } | DocumentFault {
  const fits = shape.safeParse(document);
  if (!fits.success) return faultOf(fits.error);
  const { write, ...said } = fits.data;
  const named = serviceDefinition.safeParse({ name, ...said });
  return named.success ? { definition: named.data, write } : faultOf(named.error);
}

/** The write that it says to be left by; null where it says none. */
export function definitionWriteOf(document: object): string | null {
  return 'write' in document && typeof document.write === 'string' ? document.write : null;
}
