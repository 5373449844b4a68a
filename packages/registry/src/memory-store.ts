// A store that forgets when it ends. Its revisions begin at the wall clock's milliseconds, so that a
// generation granted before a restart is still below those granted after it.
import { randomBytes } from 'node:crypto';
import { type ChangeSet, type Position, regError } from '@reg/schema';
import { createChangeLog } from './change-log.ts';
import { checkReplaced } from './check-replaced.ts';
import { type Clock, createSystemClock } from './clock.ts';
import { createHistory } from './history.ts';
import type { Store } from './store.ts';
import { createView } from './view.ts';

export interface MemoryStoreOptions {
  /** @default the system's */
  readonly clock?: Clock;
  /** Change sets kept at least for those who follow. @default 10_000 */
  readonly logCapacity?: number;
}

export function createMemoryStore({
  clock = createSystemClock(),
  logCapacity,
}: MemoryStoreOptions = {}): Store {
  const start: Position = { epoch: randomBytes(8).toString('hex'), revision: clock.now() };
  const view = createView(start);
  const log = createChangeLog(start, logCapacity === undefined ? {} : { capacity: logCapacity });
  const history = createHistory(() => view.position);
  let closed = false;

  const nextRevision = (now: number) => Math.max(view.position.revision + 1, now);

  function checkOpen(): void {
    if (closed) throw regError('store_unavailable', 'the store is closed');
  }

  return {
    kind: 'memory',
    view,
    nextRevision,
    async write(changes, replaces, now, origin) {
      checkOpen();
      checkReplaced(view, replaces);
      const changeSet: ChangeSet = { revision: nextRevision(now), at: now, changes: [...changes] };
      view.apply(changeSet, now);
      history.append(changeSet, origin);
      log.append(changeSet);
      return changeSet;
    },
    history,
    async note(notes, now, origin = {}) {
      checkOpen();
      history.note(notes, origin, view.position.revision, now);
    },
    async renew(renewals) {
      checkOpen();
      return renewals.filter((renewal) => !view.renew(renewal)).map(({ key }) => key);
    },
    async refresh() {},
    position: () => log.position,
    changes: log.follow,
    reached: log.reached,
    async close() {
      closed = true;
      log.close();
    },
  };
}
