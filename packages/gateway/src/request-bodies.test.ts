// Short bodies: one that arrives with its head is sent whole, one that is slow is streamed like a long one.
// Either way each byte comes once, also where the first instance is dead.
import net from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { deadPort, startGateway, startUpstream } from './gateway.fixture.ts';

const maxShortBytes = 64 * 1024;

/** Remembers what it got of each body, while it comes; answers with its length. */
async function startReader() {
  const bodies: string[] = [];
  const upstream = await startUpstream((request, response) => {
    const at = bodies.push('') - 1;
    request.on('data', (chunk: Buffer) => {
      bodies[at] += chunk.toString('latin1');
    });
    request.on('end', () => response.end(String(bodies[at]?.length)));
    request.on('error', () => response.destroy());
  });
  return {
    bodies,
    upstream,
    url: upstream.url,
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}

async function gatewayTo(...endpoints: readonly string[]) {
  const one = await startGateway();
  one.catalog.add({ url: '/x' }, ...endpoints.map((url, at) => ({ id: `i${at}`, endpoints: [url] })));
  await one.follows();
  return one;
}

/** A client that sends when it is told to, and keeps its connection. */
function startClient(port: number) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // it is told by what came
  socket.setNoDelay(true);
  let got = '';
  socket.on('data', (chunk) => {
    got += chunk.toString('latin1');
  });
  return {
    send: (text: string) => void socket.write(text, 'latin1'),
    answers: () => got.match(/HTTP\/1\.1 \d+/g) ?? [],
    got: () => got,
    [Symbol.dispose]: () => socket.destroy(),
  };
}

const headOf = (length: number) => `POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

test.each([1, 1_024, maxShortBytes - 1, maxShortBytes, maxShortBytes + 1, 300_000])(
  'a body of %i bytes comes whole, once, and the connection goes on',
  async (length) => {
    const body = Array.from({ length }, (_, at) => String.fromCharCode(97 + (at % 26))).join('');
    await using reader = await startReader();
    await using one = await gatewayTo(reader.url);
    using client = startClient(one.port);

    client.send(headOf(length) + body);
    await eventually(() => client.got().endsWith(`\r\n\r\n${length}`));
    client.send(headOf(length) + body);
    await eventually(() => client.answers().length === 2 && client.got().endsWith(`\r\n\r\n${length}`));

    expect(reader.bodies).toEqual([body, body]);
  },
);

test('a short body that is slow goes on as it comes', async () => {
  await using reader = await startReader();
  await using one = await gatewayTo(reader.url);
  using client = startClient(one.port);

  for (const text of [`${headOf(6)}ab`, 'cd', 'ef']) {
    client.send(text);
    const sent = text.slice(-2);
    await eventually(() => reader.bodies[0]?.endsWith(sent)); // before the next one is sent
  }

  await eventually(() => client.answers().length === 1);
  expect(reader.bodies).toEqual(['abcdef']);
});

test('the half of a body that arrived for a dead instance is sent to the next one', async () => {
  await using reader = await startReader();
  await using one = await gatewayTo(`http://127.0.0.1:${await deadPort()}`, reader.url);
  using client = startClient(one.port);

  client.send(`${headOf(4)}ab`);
  await eventually(() => reader.bodies[0] === 'ab');
  client.send('cd');

  await eventually(() => client.got().endsWith('\r\n\r\n4'));
  expect(reader.bodies).toEqual(['abcd']);
  await eventually(() => one.log[0]?.attempts === 2);
});

test('where nobody takes it, the rest of a short body is dropped and the connection goes on', async () => {
  await using one = await gatewayTo(`http://127.0.0.1:${await deadPort()}`);
  using client = startClient(one.port);

  client.send(`${headOf(4)}ab`);
  await eventually(() => client.answers().length === 1);
  client.send(`cd${headOf(2)}ef`);

  await eventually(() => client.answers().length === 2);
  expect(client.answers()).toEqual(['HTTP/1.1 502', 'HTTP/1.1 502']);
});

test('a client that leaves in the middle of a short body ends it at the upstream too', async () => {
  await using reader = await startReader();
  await using one = await gatewayTo(reader.url);
  let broken = 0;
  reader.upstream.server.on('request', (request) => request.on('error', () => broken++));
  {
    using client = startClient(one.port);
    client.send(`${headOf(4)}ab`);
    await eventually(() => reader.bodies[0] === 'ab');
  }

  await eventually(() => broken === 1);
  await eventually(() => one.log[0]?.aborted);
  expect(reader.bodies).toEqual(['ab']);
});
