// Notes come from whoever watches services, perhaps in floods: so many are taken, and no more.
import { type Note, regError } from '@reg/schema';
import type { Clock } from './clock.ts';
import { fullAllowance, takeNotes } from './note-limit.ts';
import type { Store } from './store.ts';
import { type Asking, checkService } from './writer.ts';

/** @returns adds notes. @throws `not_permitted`, `limit_reached`, and what the store says */
export function createNotes(
  store: Pick<Store, 'note'>,
  clock: Clock,
): (notes: readonly Note[], asking: Asking) => Promise<void> {
  let allowance = fullAllowance;
  return async (notes, { writer, origin }) => {
    for (const { service } of notes) checkService(writer, service);
    const now = clock.now();
    const left = takeNotes(allowance, notes.length, now);
    if (!left) throw regError('limit_reached', 'too many notes at once: send fewer, or later');
    allowance = left;
    await store.note(notes, now, origin);
  };
}
