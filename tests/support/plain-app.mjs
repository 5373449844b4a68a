// An app that knows nothing of registries. PORT; LISTEN_AFTER_MS before it listens; WORK_MS for each answer.
// `PUT /health` with a status: what GET /health answers from then on. `GET /pid`: its own. On SIGTERM it ends what it has begun.
import { createServer } from 'node:http';

const { PORT, LISTEN_AFTER_MS = '0', WORK_MS = '0' } = process.env;
let status = 200;

const server = createServer(async (request, response) => {
  if (request.url === '/health') {
    if (request.method === 'PUT') {
      for await (const chunk of request) status = Number(chunk);
      response.end();
      return;
    }
    response.writeHead(status).end('{"status":"as you see"}');
    return;
  }
  if (request.url === '/pid') {
    response.end(String(process.pid));
    return;
  }
  await new Promise((resolve) => setTimeout(resolve, Number(WORK_MS)));
  response.setHeader('x-served-by', `127.0.0.1-${PORT}`);
  response.end(JSON.stringify({ path: request.url }));
});

setTimeout(() => {
  server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));
}, Number(LISTEN_AFTER_MS));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
