// A registry that is killed between two operations of a transaction leaves it open: the server holds what it wrote
// for a minute, and whoever else wants that waits or loses one race after the other. Any registry ends such a
// transaction. It needs no right for that: everybody sees, and ends, the sessions of their own user.
import type { mongo } from 'mongoose';
import { answersSoon } from './answers-soon.ts';
import { appName } from './connect.ts';

/** Ours take milliseconds from one operation to the next. Who only stood still has lost a race, and decides again. */
const inactiveForMs = 2_000;

/** @throws what the database says */
export async function endAbandonedTransactions(client: mongo.MongoClient): Promise<void> {
  const admin = client.db('admin');
  const abandoned = await admin
    .aggregate<{ lsid: { id: mongo.UUID } }>(
      [
        { $currentOp: { idleSessions: true } },
        {
          $match: {
            type: 'idleSession',
            appName,
            'transaction.timeInactiveMicros': { $gt: inactiveForMs * 1_000 },
          },
        },
        { $project: { lsid: 1 } },
      ],
      { readConcern: { level: 'local' }, ...answersSoon },
    )
    .toArray();
  if (abandoned.length === 0) return;
  await admin.command({ killSessions: abandoned.map(({ lsid: { id } }) => ({ id })) });
}
