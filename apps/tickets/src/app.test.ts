import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { hasMongod, startMongod } from '../../../tests/support/mongod.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import { createApp } from './app.ts';
import { openFileTickets } from './file-tickets.ts';
import { openMongoTickets } from './mongo-tickets.ts';
import type { Ticket, TicketSource } from './tickets.ts';

/** The app on a real socket. */
async function serve(tickets: TicketSource) {
  const server = createServer(createApp(tickets)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async get(path: string) {
      const reply = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: reply.status, headers: reply.headers, body: (await reply.json()) as unknown };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What both sources promise. */
async function behavesLikeTickets(tickets: TicketSource) {
  await using app = await serve(tickets);
  const list = await app.get('/tickets');
  const all = list.body as Ticket[];
  expect(list.status).toBe(200);
  expect(all.length).toBeGreaterThanOrEqual(3);
  expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort());
  for (const ticket of all) {
    expect(Object.keys(ticket)).toEqual(['id', 'title', 'status', 'openedOn']);
    expect(await app.get(`/tickets/${ticket.id}`)).toMatchObject({ status: 200, body: ticket });
  }
  expect(await app.get('/tickets/T-0')).toMatchObject({ status: 404, body: { error: 'no ticket T-0' } });
  expect(await app.get('/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
  return all;
}

test('the tickets of the file are served', async () => {
  await behavesLikeTickets(await openFileTickets());
});

test.skipIf(skipWithout('a mongod', hasMongod))(
  'the tickets of a MongoDB are served; only an empty collection is filled, by several at once too',
  async () => {
    await using mongod = await startMongod();
    const packaged = await (await openFileTickets()).all();
    const open = (seeds: readonly Ticket[]) => openMongoTickets(`${mongod.url}/tickets`, seeds);

    const several = await Promise.all([open(packaged), open(packaged), open(packaged)]);
    const [first] = several;
    expect(await behavesLikeTickets(first as TicketSource)).toEqual(packaged);

    const other: Ticket = { id: 'T-1', title: 'Not mine', status: 'open', openedOn: '2026-01-01' };
    await using later = await open([other]);
    expect(await later.all()).toEqual(packaged);
    for (const one of several) await one[Symbol.asyncDispose]();
  },
  60_000,
);

test('every answer names the copy that gave it', async () => {
  await using app = await serve(await openFileTickets());
  const { headers } = await app.get('/health');
  expect(headers.get('x-served-by')).toBe(`127.0.0.1-${app.port}`);
  expect(headers.get('x-powered-by')).toBe(null);
});

test('a path that is not there, or not readable, gets JSON', async () => {
  await using app = await serve(await openFileTickets());
  expect(await app.get('/else')).toMatchObject({ status: 404, body: { error: 'nothing at /else' } });
  expect(await app.get('/tickets/%ff')).toMatchObject({ status: 400, body: { error: expect.any(String) } });
});

test('a source that fails is a 500 that shows nothing of the inside; the log has it', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  const broken: TicketSource = {
    all: () => Promise.reject(new Error('password of the database')),
    byId: () => Promise.reject(new Error('password of the database')),
  };
  await using app = await serve(broken);
  expect(await app.get('/tickets')).toMatchObject({
    status: 500,
    body: { error: 'something went wrong here' },
  });
  expect(await app.get('/tickets/T-1001')).toMatchObject({ status: 500 });
  expect(log.mock.calls.map(([error]) => String(error))).toEqual(
    Array(2).fill('Error: password of the database'),
  );
  log.mockRestore();
});
