// Who is checked: answers every health check at once. Prints its URL.
import { createServer } from 'node:http';

const server = createServer((_request, response) => response.end('ok'));
server.listen(0, '127.0.0.1', 4_096, () => console.log(`http://127.0.0.1:${server.address().port}/`));
