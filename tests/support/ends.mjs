// A service that ends in the way that it is told to, when it is asked for anything.
import { createServer } from 'node:http';
import { registerIfAsked } from '@reg/client';

const ends = {
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('thrown by the service');
  },
  reject: () => Promise.reject(new Error('rejected by the service')),
};
const server = createServer(() => setImmediate(ends[process.argv[2]]));
server.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}/`;
  await registerIfAsked({
    name: 'ends',
    url: '/ends',
    endpoints: [{ type: 'http', url }],
    authorizedRoles: [],
  });
  console.log(`ready\n${url}`);
});
