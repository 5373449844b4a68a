// What a service shares, and what was said of it beside, as a document. The registry writes these; one that
// somebody edited by hand is read with the same care as an instance.
import { type Settings, settingsOf } from '@reg/registry';
import { type ServiceDefinition, serviceDefinition } from '@reg/schema';
import * as z from 'zod';
import { faultOfBytes } from './document-bytes.ts';
import { type DocumentFault, faultOf } from './instance-document.ts';

const settings = { policy: true, wanted: true } as const;
const shared = z.object({
  ...serviceDefinition.omit({ name: true, ...settings }).shape,
  write: z.string(),
});
const said = z.object(serviceDefinition.pick(settings).shape);

export interface ReadDefinition {
  readonly definition: ServiceDefinition;
  readonly write: string;
  /** Why its settings are left alone: the definition is without any. */
  readonly settingsFault: DocumentFault | undefined;
}

export function readDefinition(name: string, document: object): ReadDefinition | DocumentFault {
  const unreadable = faultOfBytes(document);
  if (unreadable) return unreadable;
  const fits = shared.safeParse(document);
  if (!fits.success) return faultOf(fits.error);
  const { write, ...rest } = fits.data;
  const beside = said.safeParse(document);
  const kept: Settings = beside.success ? settingsOf(beside.data) : {};
  const named = serviceDefinition.safeParse({ name, ...rest, ...kept });
  if (!named.success) return faultOf(named.error);
  return {
    definition: named.data,
    write,
    settingsFault: beside.success ? undefined : faultOf(beside.error),
  };
}

/** The write that it says to be left by; null where it says none. */
export function definitionWriteOf(document: object): string | null {
  return 'write' in document && typeof document.write === 'string' ? document.write : null;
}
