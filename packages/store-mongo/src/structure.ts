// What collections and indexes a registry needs, and what is otherwise in a database. Reading it needs no more
// than the role `read`, and changes nothing.
import { isDeepStrictEqual } from 'node:util';
import type { mongo } from 'mongoose';
import type { Database } from './database.ts';
import { type CollectionName, followed, indexesOf, schemas } from './documents.ts';
import type { Finding } from './inconsistencies.ts';

/** All that decides which documents an index takes, and what becomes of them. */
const optionNames = [
  'unique',
  'expireAfterSeconds',
  'sparse',
  'partialFilterExpression',
  'collation',
] as const;

type Index = Readonly<Partial<Record<(typeof optionNames)[number], unknown>>> & {
  readonly name?: string;
  readonly key: object;
};

type Fault = Pick<Finding, 'path' | 'message'>;

export async function findStructureFaults(db: mongo.Db, kind: Database['kind']): Promise<Finding[]> {
  const there = await db.listCollections<mongo.CollectionInfo>().toArray();
  const findings: Finding[] = [];
  for (const collection of Object.keys(schemas) as CollectionName[]) {
    const info = there.find(({ name }) => name === collection);
    const faults = [
      ...faultsOfCollection(info, kind === 'replica set' && followed.includes(collection)),
      ...(info?.type === 'collection' ? await findIndexFaults(db, collection) : []),
    ];
    findings.push(...faults.map((fault) => ({ collection, id: '', ...fault })));
  }
  return findings;
}

export async function findIndexFaults(db: mongo.Db, collection: CollectionName): Promise<Fault[]> {
  return indexFaults((await db.collection(collection).indexes()) as Index[], indexesOf(collection));
}

function faultsOfCollection(info: mongo.CollectionInfo | undefined, isFollowed: boolean): Fault[] {
  if (!info) return [{ path: '', message: 'is missing: a registry that starts makes it' }];
  if (info.type !== 'collection') return [{ path: '', message: `is a ${info.type}, and no collection` }];
  const images = info.options?.changeStreamPreAndPostImages as { enabled?: unknown } | undefined;
  if (!isFollowed || images?.enabled === true) return [];
  const message = 'is not enabled: a registry that starts does it';
  return [{ path: 'changeStreamPreAndPostImages', message }];
}

/** Whatever its name is, an index is the one that is needed where it is of the same fields. */
function indexFaults(there: readonly Index[], needed: readonly Index[]): Fault[] {
  const isOf = (key: object) => (index: Index) =>
    isDeepStrictEqual(Object.entries(index.key), Object.entries(key));
  const lacking = needed.flatMap((index): Fault[] => {
    const path = `index ${index.name}`;
    const same = there.find(isOf(index.key));
    if (same) return optionNames.flatMap((option) => faultOfOption(path, option, same, index));
    const namesake = there.find(({ name }) => name === index.name);
    if (!namesake) return [{ path, message: 'is missing: a registry that starts makes it' }];
    return [
      { path, message: `is of ${JSON.stringify(namesake.key)}, and must be of ${JSON.stringify(index.key)}` },
    ];
  });
  const strange = there.flatMap(({ name, key, unique, expireAfterSeconds }): Fault[] => {
    if (needed.some(isOf(key)) || (unique === undefined && expireAfterSeconds === undefined)) return [];
    const does = unique === undefined ? 'deletes' : 'refuses';
    return [{ path: `index ${name}`, message: `is none of a registry's, and ${does} documents` }];
  });
  return [...lacking, ...strange];
}

function faultOfOption(
  path: string,
  option: (typeof optionNames)[number],
  is: Index,
  needed: Index,
): Fault[] {
  if (isDeepStrictEqual(is[option], needed[option])) return [];
  const shown = (value: unknown) => (value === undefined ? 'not set' : JSON.stringify(value));
  return [{ path, message: `${option} is ${shown(is[option])}, and must be ${shown(needed[option])}` }];
}
