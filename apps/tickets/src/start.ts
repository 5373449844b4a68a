// Starts the app where PORT and HOST say, with the tickets that MONGO_URL names, or those of the file.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.ts';
import { openFileTickets } from './file-tickets.ts';
import { openMongoTickets } from './mongo-tickets.ts';
import type { TicketSource } from './tickets.ts';

/**
 * What cannot be started is one line on stderr and exit code 1.
 * @returns where it is reached: `http://127.0.0.1:3001`
 */
export async function start(): Promise<{ readonly origin: string }> {
  const { HOST: host = '127.0.0.1', PORT: port = '3001', MONGO_URL: mongoUrl } = process.env;
  const tickets = await openTickets(mongoUrl).catch((error: Error) =>
    giveUp(`cannot read tickets: ${error.message}`),
  );
  const server = createServer(createApp(tickets));
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    return giveUp(`cannot listen on ${host} port ${port}: ${(error as Error).message}`);
  }
  // `PORT=0` takes any free port, so the server is asked which; an IPv6 address needs brackets in a URL.
  const { port: taken } = server.address() as AddressInfo;
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
  console.log(`tickets listening on ${origin}`);
  return { origin };
}

async function openTickets(mongoUrl: string | undefined): Promise<TicketSource> {
  const packaged = await openFileTickets();
  return mongoUrl ? openMongoTickets(mongoUrl, await packaged.all()) : packaged;
}

function giveUp(reason: string): never {
  console.error(`tickets ${reason.replaceAll('\n', ' ')}`);
  process.exit(1);
}
