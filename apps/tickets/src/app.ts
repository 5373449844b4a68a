// A plain Express app. It knows nothing of registries and gateways.
import express, { type ErrorRequestHandler, type Express } from 'express';
import type { TicketSource } from './tickets.ts';

export type { Ticket, TicketSource } from './tickets.ts';

export function createApp(tickets: TicketSource): Express {
  const app = express();
  app.disable('x-powered-by');

  // Which copy answered: with two of them running, `curl -i` shows how requests are spread.
  app.use((request, response, next) => {
    response.set('X-Served-By', `${request.socket.localAddress}-${request.socket.localPort}`);
    next();
  });

  app.get('/health', (_request, response) => {
    response.json({ status: 'ok' });
  });

  app.get('/tickets', async (_request, response) => {
    response.json(await tickets.all());
  });

  app.get('/tickets/:id', async (request, response) => {
    const ticket = await tickets.byId(request.params.id);
    if (ticket) response.json(ticket);
    else response.status(404).json({ error: `no ticket ${request.params.id}` });
  });

  app.use((request, response) => {
    response.status(404).json({ error: `nothing at ${request.path}` });
  });
  app.use(answerError);
  return app;
}

/** Express would answer with a page, and with a stack trace outside of production. */
const answerError: ErrorRequestHandler = (error: { status?: number }, _request, response, next) => {
  if (response.headersSent) return next(error);
  if (error.status && error.status < 500) {
    response.status(error.status).json({ error: 'that request cannot be read' });
    return;
  }
  console.error(error);
  response.status(500).json({ error: 'something went wrong here' });
};
