// The port between the store and the two kinds of server: a replica set tells what happens and knows
// transactions, a standalone server neither. Both tell the same steps, so the store is one.
import type { Origin, Raced } from '@reg/registry';
import type { Note } from '@reg/schema';
import type { DefinitionDocument, TombstoneDocument } from './documents.ts';
import type { ReadService } from './instance-document.ts';
import type { DocumentEvent } from './mirror.ts';
import type { Operation, WriteName } from './plan.ts';

/** What happened at one moment: nearly always one part. */
export interface Step {
  readonly revision: number;
  readonly parts: readonly StepPart[];
}

/** What one transaction did, or one write alone. */
export interface StepPart {
  readonly events: readonly DocumentEvent[];
  /** When it was written, in milliseconds since 1970 by its writer's clock; undefined for a hand edit. */
  readonly at: number | undefined;
  /** The name of the transaction, if a registry made it. */
  readonly write: string | undefined;
  /** As the registry that wrote it knows it. */
  readonly origin: Origin;
  /** Noted by it. */
  readonly notes?: readonly Note[] | undefined;
}

/** All documents at one moment. */
export interface Everything {
  readonly epoch: string;
  readonly revision: number;
  readonly services: readonly ReadService[];
  readonly definitions: readonly DefinitionDocument[];
  readonly tombstones: readonly TombstoneDocument[];
}

export interface Listener {
  readonly onStep: (step: Step) => void;
  /** Steps may be missing from here on: everything is to be read anew. */
  readonly onLost: (cause: unknown) => void;
  /** Nothing is told at the moment; it goes on by itself, and nothing is missing then. */
  readonly onBroken: (cause: unknown) => void;
  /** It goes on after it was broken. */
  readonly onMended: () => void;
}

export interface Database {
  readonly kind: 'replica set' | 'standalone';
  /** Collections and indexes are made where they lack. Ends the following before. @throws what the database says */
  load(): Promise<Everything>;
  /** Tells every step after the moment of `load`, in order, those of `write` and `mend` too. */
  follow(listener: Listener): void;
  /**
   * All of it or nothing. `raced` too where the answer was lost: who decides again, once caught up, finds what
   * became of it. @throws what the database says; nobody knows then what became of it
   * @param isWanted asked before it is sent: whoever asked for it may have gone
   */
  write(
    operations: readonly Operation[],
    name: WriteName,
    isWanted: () => boolean,
  ): Promise<'written' | Raced>;
  /** What a hand edit left unsaid is written down; where somebody else did so before, nothing happens. */
  mend(operation: Operation): Promise<void>;
  /** Resolves once everything was told that was written before. */
  caughtUp(): Promise<void>;
  close(): Promise<void>;
}
