import mongoose from 'mongoose';
import type { Ticket, TicketSource } from './tickets.ts';

/** A ticket as a document: its id is the key. */
type TicketDocument = Omit<Ticket, 'id'> & { readonly _id: string };

const schema = new mongoose.Schema<TicketDocument>(
  {
    _id: { type: String, required: true },
    title: { type: String, required: true },
    status: { type: String, enum: ['open', 'waiting', 'closed'], required: true },
    openedOn: { type: String, required: true },
  },
  { versionKey: false, bufferTimeoutMS: 3_000 },
);

const toTicket = ({ _id, title, status, openedOn }: TicketDocument): Ticket => ({
  id: _id,
  title,
  status,
  openedOn,
});

/**
 * Tickets of the collection `tickets`. An empty collection is filled with `seeds` first; two instances
 * may do so at once, since a ticket that is there already stays as it is.
 * @throws when no MongoDB answers within 3 s
 */
export async function openMongoTickets(
  url: string,
  seeds: readonly Ticket[],
): Promise<TicketSource & AsyncDisposable> {
  const connection = await mongoose.createConnection(url, { serverSelectionTimeoutMS: 3_000 }).asPromise();
  const model = connection.model('Ticket', schema, 'tickets');
  if ((await model.estimatedDocumentCount()) === 0) {
    await model.bulkWrite(
      seeds.map(({ id, ...rest }) => ({
        updateOne: { filter: { _id: id }, update: { $setOnInsert: rest }, upsert: true },
      })),
    );
  }
  return {
    async all() {
      const documents = await model.find().sort({ _id: 1 }).lean();
      return documents.map(toTicket);
    },
    async byId(id) {
      const document = await model.findById(id).lean();
      return document ? toTicket(document) : undefined;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
