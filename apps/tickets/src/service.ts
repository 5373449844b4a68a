// The app as a service that registers itself: the only file that knows of a registry.
import { registerIfAsked } from '@reg/client';
import { start } from './start.ts';

const { server, origin } = await start();

await registerIfAsked({
  name: 'tickets',
  url: '/tickets',
  endpoints: [{ type: 'http', url: `${origin}/tickets` }],
  authorizedRoles: ['tickets-query'],
  server, // so that leaving waits for the requests in flight
});
