// Writes in a transaction, as a registry does, and never ends it: `node leaves-transaction.mjs URL SERVICE-DOCUMENT`.
import { mongo } from 'mongoose';

const [url, _id] = process.argv.slice(2);
const client = new mongo.MongoClient(url, { appName: 'reg' });
const session = client.startSession();
session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } });
const { matchedCount } = await client
  .db()
  .collection('services')
  .updateOne({ _id }, { $set: { zone: 'nowhere' } }, { session });
console.log(`held ${matchedCount}`);
setInterval(() => {}, 60_000);
