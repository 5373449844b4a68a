// The service behind every gateway: `GET …/1024` answers that many bytes, a POST is read and its size answered.
import { createServer } from 'node:http';

const bodies = new Map();
const server = createServer((request, response) => {
  if (request.method === 'POST') {
    let bytes = 0;
    request.on('data', (chunk) => {
      bytes += chunk.length;
    });
    request.on('end', () => answer(response, Buffer.from(JSON.stringify({ bytes }))));
    return;
  }
  const bytes = Number(request.url.slice(request.url.lastIndexOf('/') + 1));
  let body = bodies.get(bytes);
  if (!body) {
    body = Buffer.from(JSON.stringify({ text: 'x'.repeat(bytes - '{"text":""}'.length) }));
    bodies.set(bytes, body);
  }
  answer(response, body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));

function answer(response, body) {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}
