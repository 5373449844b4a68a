// What a step defines anew, and whose documents say so: an instance may have joined while that was written, unseen by
// whoever wrote it.
import type { View } from '@reg/registry';
import type { ServiceDefinition } from '@reg/schema';

export interface Redefinitions {
  begin(former: ServiceDefinition): void;
  /** The document of this instance says by now what its service shares. */
  told(service: string, instanceId: string): void;
  /** @returns what services were before of which an instance was not told; what is begun from here on is of the next step */
  end(): ServiceDefinition[];
}

export function createRedefinitions(view: Pick<View, 'services'>): Redefinitions {
  const begun = new Map<string, { readonly former: ServiceDefinition; readonly told: Set<string> }>();
  return {
    begin(former) {
      begun.set(former.name, { former, told: new Set() });
    },
    told(service, instanceId) {
      begun.get(service)?.told.add(instanceId);
    },
    end() {
      const behind: ServiceDefinition[] = [];
      for (const [service, { former, told }] of begun) {
        const ids = [...(view.services.get(service)?.instances.keys() ?? [])];
        if (!ids.every((id) => told.has(id))) behind.push(former);
      }
      begun.clear();
      return behind;
    },
  };
}
