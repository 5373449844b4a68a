// A service whose event loop works, from SIGUSR2 on and without a pause, until the file it is told appears.
import { existsSync, writeSync } from 'node:fs';
import { register } from '@reg/client';

setInterval(() => {}, 1_000);
process.once('SIGUSR2', () => {
  writeSync(1, 'busy\n');
  while (!existsSync(process.argv[2]));
  console.log('done');
});
register({
  name: 'busy',
  url: '/busy',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:9' }],
  authorizedRoles: [],
  lease: { ttlMs: 1_000 },
}).then(() => console.log('registered'));
