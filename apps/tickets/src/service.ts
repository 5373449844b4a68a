// The app as a service that registers itself: the only file that knows of a registry.
import { registerIfAsked } from '@reg/client';
import { start } from './start.ts';

const { origin } = await start();

await registerIfAsked({
  name: 'tickets',
  url: '/tickets',
  endpoints: [{ type: 'http', url: `${origin}/tickets` }],
  authorizedRoles: ['tickets-query'],
  onRefused: 'exit', // refused for good: one line and exit code 1, not a service that nobody finds
});
