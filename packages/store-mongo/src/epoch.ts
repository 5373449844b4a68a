import { randomBytes } from 'node:crypto';
import type { Collections } from './documents.ts';

/** This history's name, kept in the database. @param known where somebody deleted it, it comes back as it was */
export async function keptEpoch({ state }: Pick<Collections, 'state'>, known?: string): Promise<string> {
  const fresh = known ?? randomBytes(8).toString('hex');
  const document = await state.findOneAndUpdate(
    { _id: 'epoch' },
    { $setOnInsert: { epoch: fresh } },
    { upsert: true, returnDocument: 'after' },
  );
  return document?.epoch ?? fresh;
}
