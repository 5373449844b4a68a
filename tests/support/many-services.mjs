// As many services as asked for, in one process, each with an address of its own: `service-0`, `service-1`, …
import { createServer } from 'node:http';
import { register } from '@reg/client';

const [count, ttlMs] = process.argv.slice(2).map(Number);
for (let index = 0; index < count; index++) {
  const server = createServer((_, response) => response.end('here'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  await register({
    name: `service-${index}`,
    url: `/service-${index}`,
    endpoints: [{ type: 'http', url: `http://127.0.0.1:${server.address().port}` }],
    authorizedRoles: [],
    access: 'public',
    lease: { ttlMs },
  });
}
console.log('registered');
