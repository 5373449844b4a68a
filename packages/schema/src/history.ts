// What happened, in the order it did: each change with who made it, from where and why, and notes, which change
// nothing. It is for people: whoever must miss nothing follows the changes.
import * as z from 'zod';
import { change, revision } from './change.ts';
import { parseCursor } from './cursor.ts';
import { generation } from './lease.ts';
import { instanceId, serviceName } from './names.ts';
import { recordKey } from './record-key.ts';
import { text } from './text.ts';

/** `check-failing`, `scaled-up`, `process-ended`: whoever adds a note chooses the word. */
export const noteEvent = z
  .string()
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'must be words of a-z 0-9 with dashes, like check-failing')
  .max(64, 'must have at most 64 characters');

const noteData = z
  .record(
    recordKey,
    z.union([text(256), z.number(), z.boolean()], { error: 'must be text, a number or a boolean' }),
  )
  .refine((value) => Object.keys(value).length <= 16, 'must have at most 16 keys');

/** Something to be remembered of a service that is no change of the registry. */
export const note = z.strictObject({
  service: serviceName,
  instanceId: instanceId.optional(),
  event: noteEvent,
  /** In words: what, and why. */
  text: text(500),
  data: noteData.optional(),
});

/** More are several requests. */
export const notesAtOnce = 100;

const changeKinds = change.options.map(({ shape }) => shape.kind.value);

/** One change, or one note. */
export const historyEntry = z.strictObject({
  /** The change's own; of a note, the registry's when it came. */
  revision,
  /** Milliseconds since 1970, by the clock of the registry that took it. */
  at: z.int().min(0),
  kind: z.enum([...changeKinds, 'note']),
  service: serviceName,
  instanceId: instanceId.optional(),
  generation: generation.optional(),
  /** Why, in the words of who asked. */
  reason: z.string().optional(),
  /** Of an unregister by an operator, whichever run it was. */
  force: z.literal(true).optional(),
  /**
   * Who: `operator`, `sub:NAME` or `jti:ID` of a token, `registry` (a lease that ended), `hand` (in the database).
   * Left out: the registry asks for no token, or the process itself asked.
   */
  by: z.string().optional(),
  /** The address it was asked from. */
  from: z.string().optional(),
  /** Of an instance that is listed: the urls of its endpoints, its version, who looks after it. */
  endpoints: z.array(z.string()).optional(),
  version: z.string().optional(),
  owner: z.string().optional(),
  /** Of a service: its public path; and what of its definition is new, where it was there before. */
  url: z.string().optional(),
  changed: z.array(z.string()).optional(),
  /** Of a note. */
  event: noteEvent.optional(),
  text: z.string().optional(),
  data: noteData.optional(),
});

/** Where a reader of the history is. A position will do: what was noted after that change comes, too. */
export const historyCursor = z
  .string()
  .refine(parseCursor, 'must be a position, epoch.revision, or what `next` said')
  .describe('a position, epoch.revision, or the `next` of an earlier answer')
  .transform((value) => parseCursor(value));

/** Reply of `GET /v1/history`, oldest first. */
export const historyPage = z.strictObject({
  epoch: z.string(),
  revision,
  entries: z.array(historyEntry),
  /** The `after` of whoever reads on. */
  next: z.string(),
});

export type Note = z.infer<typeof note>;
export type HistoryEntry = z.infer<typeof historyEntry>;
export type HistoryPage = z.infer<typeof historyPage>;
