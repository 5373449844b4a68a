// A service that ends in the way it is told to, once it gets SIGUSR2 or the signal itself. With
// SELF_REGISTRY it registers, without it nothing of ours is loaded: both must end alike.
import { createServer } from 'node:http';

const how = process.argv[2];
const server = createServer((_, response) => {
  console.log('request');
  setTimeout(() => response.end('answered'), Number(process.env.HOLD_MS ?? 0));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;

const ends = {
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('thrown by the service');
  },
  reject: () => void Promise.reject(new Error('rejected by the service')),
  natural: () => server.close(),
  'natural-with-code': () => {
    process.exitCode = 3;
    server.close();
  },
  'exit-listener-throws': () => {
    process.prependListener('exit', () => {
      throw new Error('thrown on exit');
    });
    process.exit(7);
  },
  'handler-exits': () => {
    process.on('uncaughtException', () => process.exit(9));
    throw new Error('thrown by the service');
  },
  'handler-lives-on': () => {
    process.on('uncaughtException', () => console.log('lives on'));
    throw new Error('thrown by the service');
  },
  'capture-lives-on': () => {
    process.setUncaughtExceptionCaptureCallback(() => console.log('lives on'));
    throw new Error('thrown by the service');
  },
};
process.once('SIGUSR2', () => setImmediate(ends[how] ?? (() => undefined)));

// What many libraries hold: it counts its own listeners, and leaves a signal to others where it sees more.
if (how === 'signal-exit') {
  const { onExit } = await import('signal-exit');
  onExit((code, signal) => console.log(`signal-exit saw ${code ?? signal}`));
}
if (how === 'own-signal') {
  process.on('SIGTERM', () => {
    console.log('app got SIGTERM');
    server.close();
    server.closeIdleConnections();
  });
}
if (how === 'reload') process.on('SIGHUP', () => console.log('reloaded'));
if (how === 'own-signal-once') process.once('SIGTERM', () => server.close(() => process.exit(5)));
if (how === 'own-signal-exits') process.once('SIGTERM', () => process.exit(5));

if (process.env.SELF_REGISTRY) {
  const { registerIfAsked } = await import('../dist/index.js');
  await registerIfAsked({
    name: 'ends',
    url: '/ends',
    endpoints: [{ type: 'http', url }],
    authorizedRoles: [],
    lease: process.env.LEASE === 'none' ? 'none' : { ttlMs: 60_000 },
    drainMs: Number(process.env.DRAIN_MS ?? 5_000),
  });
}
console.log(`ready ${url}`);
