// Instances that another registry over the same store expired: they went, and speak of the network as much as
// those that this one expired itself.
import { isRegError } from '@reg/schema';
import { type InstanceKey, instanceKey, type Store } from './store.ts';

/** @param onExpired is told of all, of our own too. @returns ends it */
export function followExpiries(
  { view, changes }: Pick<Store, 'view' | 'changes'>,
  onExpired: (key: InstanceKey) => void,
): () => void {
  const ending = new AbortController();

  async function followOnce(): Promise<void> {
    for await (const set of changes(view.position, ending.signal)) {
      for (const change of set.changes) {
        if (change.kind !== 'instance-expired') continue;
        onExpired(instanceKey({ service: change.service, id: change.instanceId }));
      }
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      try {
        return await followOnce();
      } catch (error) {
        // Everything was read anew: who went meanwhile is not known, so nobody is counted for it.
        if (!isRegError(error) || error.code !== 'compacted') throw error;
      }
    }
  }

  void follow();
  return () => ending.abort();
}
