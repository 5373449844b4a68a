// What stands in for an instance while none is up, as the service's policy has it: what a caller can do without a
// gateway. The last good answer is the gateway's to keep.
import { policyDefaults } from '@reg/schema/defaults';
import type { DiscoveredInstance, View } from './view.ts';

const defaults = policyDefaults.fallback;

/** @param turn which of several. @returns undefined: the policy has nothing that a caller could read instead */
export function standIn(view: View, name: string, turn: number, now: number): DiscoveredInstance | undefined {
  const definition = view.definitionOf(name);
  const fallback = definition?.policy?.fallback;
  const methods: readonly string[] = fallback?.methods ?? defaults.methods;
  if (!fallback || !methods.includes('GET')) return undefined;
  for (const source of fallback.use) {
    if (source.kind === 'service' && source.service !== name) {
      const up = view.instancesOf(source.service, now).filter(({ state }) => state === 'up');
      const one = up[turn % up.length];
      if (one) return { ...one, degraded: { source: 'service', to: source.service } };
    }
    if (source.kind !== 'static') continue;
    const { status = defaults.status, contentType = defaults.contentType, headers = {}, body } = source;
    if (status >= 300) continue;
    // Whatever is added to the url, a path or a query, is its fragment: nobody gets more than the body.
    const url = `data:${contentType};base64,${Buffer.from(body).toString('base64')}#`;
    const { authorizedRoles: roles, access } = definition;
    return {
      instanceId: 'static',
      url,
      type: 'http',
      endpoints: [{ type: 'http', url }],
      roles,
      access,
      state: 'up',
      tags: [],
      metadata: {},
      stale: false,
      degraded: { source: 'static', status, contentType, headers, body },
    };
  }
  return undefined;
}
