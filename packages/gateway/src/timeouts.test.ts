// How long a service may take, as its policy has it: each limit against an upstream that keeps it waiting.
import { once } from 'node:events';
import net from 'node:net';
import type { ServicePolicy } from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProcess } from '../../../tests/support/process.ts';
import {
  definitionOf,
  startGateway,
  startRawUpstream,
  startUpstream,
  type TestGateway,
} from './gateway.fixture.ts';

const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

function setTimeouts({ catalog }: TestGateway, timeouts: ServicePolicy['timeouts']): void {
  const definition = { ...definitionOf({ url: '/x' }), policy: { timeouts } };
  catalog.change({ kind: 'service-updated', service: definition });
}

/** @returns the status; or that the answer broke off */
async function ask({ url }: TestGateway): Promise<number | 'broken'> {
  const response = await fetch(`${url}/x`);
  return response.text().then(
    () => response.status,
    () => 'broken',
  );
}

test('firstByteMs: a silent instance is 504, of that service alone, and a change of the policy counts at once', async () => {
  await using silent = await startRawUpstream(() => undefined);
  await using quick = await startUpstream((_, response) => setTimeout(() => response.end('ok'), 50));
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [silent.url] });
  one.catalog.add({ url: '/y' }, { endpoints: [quick.url] });
  setTimeouts(one, { firstByteMs: 20 });
  await one.follows();
  expect(await ask(one)).toBe(504);
  expect((await fetch(`${one.url}/y`)).status).toBe(200);
});

test('firstByteMs may be longer than what the gateway waits otherwise', async () => {
  let answer = () => {};
  await using slow = await startUpstream((_, response) => {
    answer = () => response.end('ok');
  });
  await using one = await startGateway({ upstreamTimeoutMs: 20, requestTimeoutMs: 20 });
  one.catalog.add({ url: '/x' }, { endpoints: [slow.url] });
  await one.follows();
  expect(await ask(one)).toBe(504);
  setTimeouts(one, { firstByteMs: 60_000 });
  await one.follows();
  answer = () => {};
  const asked = ask(one);
  await eventually(() => answer.toString().includes('ok'));
  answer();
  expect(await asked).toBe(200);
});

test('idleMs: an answer that stands still breaks off; one that goes on does not', async () => {
  let goOn = () => {};
  await using upstream = await startRawUpstream((socket) => {
    socket.write(`${head}5\r\nhello\r\n`);
    goOn = () => socket.write('0\r\n\r\n');
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  setTimeouts(one, { idleMs: 20 });
  await one.follows();
  expect(await ask(one)).toBe('broken');
  expect(one.log).toMatchObject([{ aborted: true, bytes: 5 }]);
  setTimeouts(one, { idleMs: 60_000 });
  await one.follows();
  const response = await fetch(`${one.url}/x`);
  goOn();
  expect(await response.text()).toBe('hello');
});

test('idleMs of a WebSocket: it ends when nothing passes either way', async () => {
  await using upstream = await startRawUpstream((socket, received) => {
    if (!received.startsWith('GET')) return;
    const accept = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x';
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${accept}\r\n\r\n`);
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  setTimeouts(one, { idleMs: 20 });
  await one.follows();
  const socket = net.connect(one.port, '127.0.0.1');
  const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13';
  socket.write(
    `GET /x HTTP/1.1\r\nHost: localhost\r\n${fields}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  socket.resume();
  await once(socket, 'close');
  expect(one.log).toMatchObject([{ status: 101 }]);
});

test('totalMs: an answer that goes on and on breaks off, and one that never begins is 504', async () => {
  const timers = new Set<NodeJS.Timeout>();
  await using upstream = await startRawUpstream((socket, received) => {
    if (received.startsWith('GET /silent')) return;
    socket.write(head);
    timers.add(setInterval(() => socket.write('1\r\nx\r\n'), 5));
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  setTimeouts(one, { totalMs: 100 });
  await one.follows();
  expect(await ask(one)).toBe('broken');
  expect((await fetch(`${one.url}/x/silent`)).status).toBe(504);
  for (const timer of timers) clearInterval(timer);
});

test('connectMs: connections are opened anew by the rule of now; what is under way finishes', async () => {
  let finish = () => {};
  await using upstream = await startUpstream((request, response) => {
    if (request.url?.endsWith('slow')) finish = () => response.end('whole');
    else response.end('ok');
  });
  await using one = await startGateway();
  one.catalog.add({ url: '/x' }, { endpoints: [upstream.url] });
  await one.follows();
  const slow = fetch(`${one.url}/x/slow`).then((response) => response.text());
  await eventually(() => finish.toString().includes('whole'));
  setTimeouts(one, { connectMs: 500 });
  await one.follows();
  expect(await ask(one)).toBe(200);
  finish();
  expect(await slow).toBe('whole');
});

/** It takes connections into its queue, two of them, and stands still: the next one is never answered. */
const standsStill = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    console.log('port ' + server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });
`;

test.each([{ connectMs: 50 }, { totalMs: 50 }])(
  '%j: who does not take the connection is 504',
  async (timeouts) => {
    await using still = await startProcess('node', ['-e', standsStill]);
    const port = Number((await still.printed(/port (\d+)/))[1]);
    const queue = Array.from({ length: 4 }, () =>
      net.connect(port, '127.0.0.1').on('error', () => undefined),
    );
    await eventually(() => queue.filter(({ connecting }) => !connecting).length >= 2);
    await using one = await startGateway({ connectTimeoutMs: 600_000, requestTimeoutMs: 600_000 });
    one.catalog.add({ url: '/x' }, { endpoints: [`http://127.0.0.1:${port}`] });
    setTimeouts(one, timeouts);
    await one.follows();
    expect(await ask(one)).toBe(504);
    await eventually(() => one.log.length === 1);
    expect(one.log).toMatchObject([{ attempts: 1, failure: expect.stringMatching(/time/i) }]);
    for (const socket of queue) socket.destroy();
  },
);
