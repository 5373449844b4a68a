import type { ServicePolicy } from '@reg/schema';
import type { Decision } from './decision.ts';
import { decideSettings } from './settings.ts';
import type { View } from './store.ts';
import { checkService, type Writer } from './writer.ts';

/** @param policy whole, as it is from now on; an empty one takes it away. @throws `not_permitted`, `service_not_found` */
export function decideSetPolicy(
  view: View,
  service: string,
  policy: ServicePolicy,
  writer?: Writer,
): Decision {
  checkService(writer, service);
  return decideSettings(view, service, { policy: Object.keys(policy).length > 0 ? policy : undefined });
}
