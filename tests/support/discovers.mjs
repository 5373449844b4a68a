// A service's view without a gateway: rounds of ten requests, each to who is next in turn; a line a round.
import { setTimeout as delay } from 'node:timers/promises';
import { discover } from '@reg/client';

const tickets = await discover(process.argv[2]);
for (;;) {
  const counts = {};
  for (let sent = 0; sent < 10; sent++) {
    const { url } = tickets.pick();
    const response = await fetch(url);
    await response.arrayBuffer();
    const server = response.headers.get('x-served-by');
    counts[server] = (counts[server] ?? 0) + 1;
  }
  console.log(JSON.stringify(counts));
  await delay(50);
}
