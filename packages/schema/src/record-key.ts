// Keys that callers choose, of what is kept for them as they wrote it.
import { text } from './text.ts';

/** They would reach an object's prototype where somebody copies keys. */
export const prototypeKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** What has such a key is taken for a value of another kind by whoever writes BSON, which a store does. */
export const bsonTypeKey = '_bsontype';

const refused = [...prototypeKeys, bsonTypeKey];

export const recordKey = text(64).refine(
  (key) => !refused.includes(key),
  `must not be one of ${refused.join(', ')}`,
);
