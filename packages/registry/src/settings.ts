// What an operator says of a service beside what its instances say: its policy, and how many there should be.
// A registration neither carries nor changes it.
import { isDeepStrictEqual } from 'node:util';
import { type Change, regError, type ServiceDefinition, type ServicePolicy } from '@reg/schema';
import { type Decision, nothingToDo } from './decision.ts';
import { instanceNameOf, type View } from './store.ts';

export interface Settings {
  readonly policy?: ServicePolicy | undefined;
  readonly wanted?: number | undefined;
}

/** For a definition that is said anew; a setting that is not there is no member. */
export function settingsOf({ policy, wanted }: Settings = {}): Settings {
  return { ...(policy !== undefined && { policy }), ...(wanted !== undefined && { wanted }) };
}

export function withSettings(
  { policy, wanted, ...shared }: ServiceDefinition,
  settings: Settings,
): ServiceDefinition {
  return { ...shared, ...settingsOf(settings) };
}

/**
 * Whether a service stays for an hour when its last instance unregisters, as after an expiry: its path was moved,
 * its policy has an answer for callers meanwhile, or somebody is to start instances of it.
 */
export function outlivesInstances({ formerUrls, policy, wanted }: ServiceDefinition): boolean {
  return formerUrls !== undefined || policy?.fallback !== undefined || wanted !== undefined;
}

/**
 * One change with the whole new definition; a service that stayed for its settings alone goes with them.
 * @param settings undefined members are taken away, those left out stay
 * @throws `service_not_found`
 */
export function decideSettings(view: View, name: string, settings: Settings): Decision {
  const service = view.services.get(name);
  if (!service) throw regError('service_not_found', `there is no service ${name}`);
  const next = withSettings(service.definition, { ...settingsOf(service.definition), ...settings });
  if (isDeepStrictEqual(next, service.definition)) return nothingToDo;
  const stays = service.instances.size > 0 || outlivesInstances(next) || lastExpired(view, name);
  const change: Change = stays
    ? { kind: 'service-updated', service: next }
    : { kind: 'service-removed', service: name };
  return { changes: [change], replaces: new Map() };
}

/** Of its instances the last one to go. Who expired has not said goodbye: callers hear 503 for an hour. */
function lastExpired({ tombstones }: View, service: string): boolean {
  let last: { readonly at: number; readonly expired: boolean } | undefined;
  for (const [key, { gone }] of tombstones) {
    if (!gone || instanceNameOf(key).service !== service) continue;
    if (gone.at >= (last?.at ?? 0)) last = gone;
  }
  return last?.expired ?? false;
}
