// Holds the lease of one instance, under the run that it is told, until it is ended.
import { register } from '@reg/client';

setInterval(() => {}, 1_000);
await register({
  name: 'holds',
  url: '/holds',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:9' }],
  authorizedRoles: [],
  lease: { ttlMs: 1_000 },
  runId: process.argv[2],
});
console.log('registered');
