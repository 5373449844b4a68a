import type { mongo } from 'mongoose';
import type { Collections, DefinitionDocument, DocumentId } from './documents.ts';
import { idText, writeIn } from './instance-document.ts';
import type { IntendedOperation } from './intents.ts';

type RawDocument = Readonly<Record<string, unknown>>;

/** Not there, there and not of a registry's hand, or left so by that write. */
type Left = 'absent' | { readonly write: string | undefined };

/** Every document is still as the write found it, and nobody else has the names: all of it may be done. */
export async function isCurrent(
  collections: Pick<Collections, 'services' | 'definitions'>,
  operations: readonly IntendedOperation[],
): Promise<boolean> {
  return (
    (await areInstancesCurrent(collections, operations)) &&
    (await areDefinitionsCurrent(collections, operations))
  );
}

async function areInstancesCurrent(
  { services }: Pick<Collections, 'services'>,
  operations: readonly IntendedOperation[],
): Promise<boolean> {
  const expected = new Map<string, { readonly id: DocumentId; readonly left: Left }>();
  for (const operation of operations) {
    if (operation.kind === 'insert-instance') {
      const { _id: id } = operation.document;
      expected.set(idText(id), { id, left: 'absent' });
    } else if (operation.kind === 'replace-instance' || operation.kind === 'delete-instance') {
      const { id, write } = operation.before;
      expected.set(idText(id), { id, left: { write } });
    }
  }
  if (expected.size === 0) return true;
  const ids = [...expected.values()].map(({ id }) => id);
  const there = await services
    .find({ _id: { $in: ids } })
    .project<RawDocument & { _id: DocumentId }>({ 'reg.write': 1 })
    .toArray();
  const found = new Map(there.map((document) => [idText(document._id), { write: writeIn(document) }]));
  return isAs(expected, found);
}

/** Two services may swap their paths: whose definition is part of the write is in nobody's way. */
async function areDefinitionsCurrent(
  { definitions }: Pick<Collections, 'definitions'>,
  operations: readonly IntendedOperation[],
): Promise<boolean> {
  const expected = new Map<string, { readonly left: Left }>();
  const names: mongo.Filter<DefinitionDocument>[] = [];
  for (const operation of operations) {
    if (operation.kind === 'delete-definition')
      expected.set(operation.name, { left: { write: operation.before ?? undefined } });
    if (operation.kind !== 'insert-definition' && operation.kind !== 'replace-definition') continue;
    const { _id, path, slug } = operation.document;
    expected.set(_id, {
      left: operation.kind === 'insert-definition' ? 'absent' : { write: operation.before ?? undefined },
    });
    names.push({ path }, { slug });
  }
  if (expected.size === 0) return true;
  const there = await definitions
    .find({ $or: [{ _id: { $in: [...expected.keys()] } }, ...names] })
    .project<{ _id: string; write?: unknown }>({ write: 1 })
    .toArray();
  return (
    there.every(({ _id }) => expected.has(_id)) &&
    isAs(
      expected,
      new Map(there.map(({ _id, write }) => [_id, { write: typeof write === 'string' ? write : undefined }])),
    )
  );
}

function isAs(
  expected: ReadonlyMap<string, { readonly left: Left }>,
  found: ReadonlyMap<string, { readonly write: string | undefined }>,
): boolean {
  for (const [key, { left }] of expected) {
    const there = found.get(key);
    if (left === 'absent' ? there !== undefined : there === undefined || there.write !== left.write)
      return false;
  }
  return true;
}
