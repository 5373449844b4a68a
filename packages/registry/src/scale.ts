import type { Decision } from './decision.ts';
import { decideSettings } from './settings.ts';
import type { View } from './store.ts';
import { checkService, type Writer } from './writer.ts';

/** @param instances how many there should be; null: as many as the policy says. @throws `not_permitted`, `service_not_found` */
export function decideScale(
  view: View,
  service: string,
  instances: number | null,
  writer?: Writer,
): Decision {
  checkService(writer, service);
  return decideSettings(view, service, { wanted: instances ?? undefined });
}
