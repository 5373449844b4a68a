import type { mongo } from 'mongoose';

/** Another text once one of our collections was dropped or renamed, even where it was made anew since. */
export async function collectionIds(db: mongo.Db): Promise<string> {
  const filter = { name: { $in: ['services', 'definitions', 'leases', 'tombstones', 'writes', 'state'] } };
  const known = await db.listCollections<mongo.CollectionInfo>(filter).toArray();
  return known
    .map(({ name, info }) => `${name} ${info?.uuid?.toString('hex')}`)
    .sort()
    .join('\n');
}
