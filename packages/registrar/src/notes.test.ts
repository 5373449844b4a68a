import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createNotes } from './notes.ts';
import { createRegistryCaller } from './registry-access.ts';

// Story: while some were being sent the next request took the same ones once more, and when both were answered as many
// others were dropped unsent.
test('each note is sent once, also where the registry answers late and more are added meanwhile', async () => {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    for (const { event } of JSON.parse(text).notes) taken.push(event);
    waiting.push(() => response.end(JSON.stringify({ epoch: 'e', revision: 1 })));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const notes = createNotes(createRegistryCaller({ registry: `http://127.0.0.1:${port}` }), () => undefined);
  const add = (event: string) => notes.add({ service: 'tickets', event, text: 'it is so' });

  const names = Array.from({ length: 150 }, (_, index) => `event-${index}`);
  for (const name of names.slice(0, 120)) add(name);
  await eventually(() => waiting.length === 1);
  for (const name of names.slice(120)) add(name);
  let closed = false;
  const closing = notes.close().then(() => {
    closed = true;
  });
  await eventually(() => {
    for (const answer of waiting.splice(0)) answer();
    return closed;
  });
  await closing;
  expect(taken).toEqual(names);
  server.closeAllConnections();
  server.close();
});
