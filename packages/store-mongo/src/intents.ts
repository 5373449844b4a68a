// All or nothing without transactions: what a write of several documents does is first written down as one
// document, durably; then it is done. Where the registry ends between, the next one does it: each part may be
// done again.
import { mongo } from 'mongoose';
import { lenient } from './document-bytes.ts';
import type { Collections, WriteDocument } from './documents.ts';
import { readNotes } from './history-document.ts';
import { type Operation, originOf, type WriteName } from './plan.ts';
import { isRace, type Writer, writeConcern } from './writer.ts';

export type IntendedOperation = Exclude<Operation, { kind: 'end-lease' }>;

interface Intent extends WriteName {
  readonly operations: readonly IntendedOperation[];
}

export interface Intents {
  carryOut(intent: Intent): Promise<void>;
  /** Done by this call, oldest first: what was written down and perhaps not done. */
  finish(): Promise<readonly Intent[]>;
}

/** The intent is durable; the log of a standalone server is in order, so what follows need not be waited for. */
const quickly = { writeConcern: { w: 1, journal: false } } as const;

export function createIntents(
  { services, definitions, writes }: Collections,
  { carryOut: carryOutOne }: Pick<Writer, 'carryOut'>,
): Intents {
  /** Whatever is there: the conditions were looked at before it was written down. */
  async function force(operation: IntendedOperation): Promise<void> {
    switch (operation.kind) {
      case 'insert-instance':
      case 'replace-instance': {
        const { _id, ...document } = operation.document;
        await services.replaceOne({ _id }, document, { ...quickly, upsert: true });
        return;
      }
      case 'delete-instance':
        await services.deleteOne({ _id: operation.before.id }, quickly);
        return;
      case 'insert-definition':
      case 'replace-definition': {
        const { _id, ...document } = operation.document;
        await definitions.replaceOne({ _id }, document, { ...quickly, upsert: true });
        return;
      }
      case 'delete-definition':
        await definitions.deleteOne({ _id: operation.name }, quickly);
        return;
      case 'free-names':
      case 'share':
      case 'bury':
        await carryOutOne(operation, quickly);
    }
  }

  async function carryOutAll({ write, operations }: Intent): Promise<void> {
    for (const operation of operations) {
      try {
        await force(operation);
      } catch (error) {
        // Somebody put a definition of this path there by hand, this moment: the documents are judged as they are.
        if (!isRace(error)) throw error;
      }
    }
    await writes.deleteOne({ _id: write }, quickly);
  }

  return {
    async carryOut(intent) {
      const { write, at, notes, operations, ...who } = intent;
      const noted = { ...originOf(who), ...(notes && { notes }) };
      // Without `writtenAt` it is kept until it is done.
      await writes.insertOne(
        { _id: write, at, ...noted, operations: operations.map(asData) },
        { writeConcern },
      );
      await carryOutAll(intent);
    },
    async finish() {
      const left = await writes
        .find({ operations: { $exists: true } })
        .sort({ at: 1, _id: 1 })
        .toArray();
      const intents = left.map(readIntent).filter((intent) => intent !== undefined);
      for (const intent of intents) await carryOutAll(intent);
      return intents;
    },
  };
}

/** Bytes, so that no limit on depth or on names of fields meets it that the documents themselves passed. */
function asData(operation: IntendedOperation): { data: mongo.Binary } {
  return { data: new mongo.Binary(mongo.BSON.serialize(operation)) };
}

/** @returns undefined where it is none: a person put it there */
function readIntent({ _id: write, at, by, from, notes, operations }: WriteDocument): Intent | undefined {
  if (!Array.isArray(operations)) return undefined;
  try {
    const read = operations.map(
      ({ data }) => mongo.BSON.deserialize(data.buffer, lenient) as IntendedOperation,
    );
    return { write, at, by, from, notes: readNotes(notes), operations: read };
  } catch {
    return undefined;
  }
}
