import { readFile } from 'node:fs/promises';
import type { Ticket, TicketSource } from './tickets.ts';

/** The tickets that come with the package; the path is right from `src` and from `dist`. */
const packagedFile = new URL('../data/tickets.json', import.meta.url);

/** Tickets of a JSON file, read once. @throws when the file cannot be read or is no JSON */
export async function openFileTickets(file: URL = packagedFile): Promise<TicketSource> {
  const tickets = JSON.parse(await readFile(file, 'utf8')) as readonly Ticket[];
  const byId = new Map(tickets.map((ticket) => [ticket.id, ticket]));
  return {
    all: async () => tickets,
    byId: async (id) => byId.get(id),
  };
}
