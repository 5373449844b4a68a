import { expect, test } from 'vitest';
import type { ServiceDocument } from './documents.ts';
import type { ReadInstance } from './instance-document.ts';
import { createPlanned } from './planned.ts';

// Story: an instance was edited by hand right after it was written, and both events came in one batch. The second one
// was read before the first one was followed, and taken for what we had written: the edit was never seen.
test('of one write the document is given once: the next event with its name tells of an edit', () => {
  const { expect: plan, documentOf, take } = createPlanned();
  const document = { _id: 'tickets/a', reg: { write: 'self-1' } } as ServiceDocument &
    Record<string, unknown>;
  const says = {} as ReadInstance;
  plan('self-1', [{ kind: 'insert-instance', document, says }]);
  expect(documentOf('self-1')).toBe(document);
  expect(documentOf('self-1')).toBeUndefined();
  expect(take(document)).toBe(says);
  expect(take(document)).toBeUndefined();
});
