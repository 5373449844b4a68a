import { regError } from '@reg/schema';
import { type InstanceKey, instanceNameOf, type View } from './store.ts';

/** The third promise of a `Store`. @throws `generation_superseded` where one moved on */
export function checkReplaced(view: View, replaces: ReadonlyMap<InstanceKey, number>): void {
  for (const [key, generation] of replaces) {
    const held = view.leases.get(key)?.generation ?? 0;
    if (held === generation) continue;
    const { service, id } = instanceNameOf(key);
    throw regError('generation_superseded', `instance ${id} of ${service} moved on to generation ${held}`);
  }
}
