// Services whose definition this registry is writing: who joins one meanwhile waits and decides again, as it
// would have to after losing the race in the database. A fleet that starts brings all instances of a new
// service at once, and each lost race is a transaction for nothing.
import type { Raced } from '@reg/registry';
import { type Change, type ChangeSet, serviceOf } from '@reg/schema';

export interface DefinitionsUnderWay {
  /**
   * @returns undefined where none of the services is being written: go ahead. Else `raced` once that is over
   * @throws what that write does, so that nobody waits for a database that is away one after the other
   */
  underWay(changes: readonly Change[]): Promise<Raced> | undefined;
  begin(changes: readonly Change[], written: Promise<ChangeSet | Raced>): void;
}

export function createDefinitionsUnderWay(): DefinitionsUnderWay {
  const writes = new Map<string, Promise<ChangeSet | Raced>>();
  return {
    underWay(changes) {
      const former = changes.map((change) => writes.get(serviceOf(change))).find((write) => write);
      return former?.then(() => 'raced');
    },
    begin(changes, written) {
      const services = changes.filter(({ kind }) => kind.startsWith('service-')).map(serviceOf);
      if (services.length === 0) return;
      for (const service of services) writes.set(service, written);
      const end = () => {
        for (const service of services) writes.delete(service);
      };
      written.then(end, end);
    },
  };
}
