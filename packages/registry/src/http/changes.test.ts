// The stream of changes: resumed exactly, without gaps; bounded by its readers, not by our memory.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import {
  type ChangeSet,
  changeSet,
  contract,
  formatPosition,
  type Problem,
  parsePosition,
} from '@reg/schema';
import { expect, test } from 'vitest';
import { eventually } from '../../../../tests/support/eventually.ts';
import { registrationOf, startApi, type TestApi } from './test-api.ts';

interface ServerEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

interface Reader extends AsyncDisposable {
  readonly response: IncomingMessage;
  readonly events: ServerEvent[];
  readonly text: () => string;
  readonly ended: Promise<unknown>;
}

/** Reads a stream until its scope ends. */
async function follow(api: TestApi, query = '', headers: Record<string, string> = {}): Promise<Reader> {
  const request = get({
    host: '127.0.0.1',
    port: api.port,
    path: `/v1/changes${query}`,
    headers,
    agent: false,
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  let rest = '';
  const events: ServerEvent[] = [];
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    events.push(...blocks.map(parseEvent));
  });
  response.on('error', () => {}); // we end some of them ourselves
  const ended = new Promise((resolve) => response.once('close', resolve));
  return {
    response,
    events,
    ended,
    text: () => text,
    async [Symbol.asyncDispose]() {
      request.destroy();
      await ended;
    },
  };
}

function parseEvent(block: string): ServerEvent {
  const fields = block.split('\n').filter((line) => !line.startsWith(':'));
  return Object.fromEntries(fields.map((line) => /^(\w+): (.*)$/.exec(line)?.slice(1) ?? []));
}

const setsOf = (events: readonly ServerEvent[]): ChangeSet[] =>
  events.filter(({ event }) => event === 'change').map(({ data }) => changeSet.parse(JSON.parse(data ?? '')));

const name = { service: 'tickets', id: 'one' };
const bodyOf = (more: Record<string, unknown>) => contract.register.body.parse(registrationOf(more));

/** Each of them is one change set. @returns their positions */
async function changeTimes(api: TestApi, times: number, metadata = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < times; index++) {
    ids.push(formatPosition(await api.registry.register(name, bodyOf({ version: `v${index}`, metadata }))));
  }
  return ids;
}

test('a reader is heard at once, and each change has its position as id', async () => {
  await using api = await startApi();
  const start = formatPosition(api.registry.position());
  await using reader = await follow(api);
  expect(reader.response.headers['content-type']).toBe('text/event-stream');
  await eventually(
    () => reader.events,
    ([first]) => first?.id === start,
  );
  await changeTimes(api, 3);
  const [, ...events] = await eventually(
    () => reader.events,
    ({ length }) => length === 4,
  );
  const { epoch } = api.registry.position();
  const ids = setsOf(events).map(({ revision }) => formatPosition({ epoch, revision }));
  expect(events.map(({ id }) => id)).toEqual(ids);
  expect(ids.at(-1)).toBe(formatPosition(api.registry.position()));
});

test('whoever comes again with the last id it saw misses nothing and sees nothing twice', async () => {
  await using api = await startApi();
  const start = api.registry.position();
  await changeTimes(api, 200);
  const sets: ChangeSet[] = [];
  let lastId = formatPosition(start);
  for (let round = 0; sets.length < 300; round++) {
    await using reader = await follow(api, '', { 'Last-Event-ID': lastId });
    await changeTimes(api, round < 10 ? 10 : 0);
    const seen = await eventually(
      () => setsOf(reader.events),
      ({ length }) => length > 0,
    );
    sets.push(...seen);
    lastId = formatPosition({ epoch: start.epoch, revision: seen.at(-1)?.revision ?? 0 });
  }
  const whole: ChangeSet[] = [];
  const stop = new AbortController();
  for await (const set of api.registry.changes(start, stop.signal)) {
    whole.push(set);
    if (whole.length === 300) stop.abort();
  }
  expect(sets).toEqual(whole);
});

test('Last-Event-ID goes before `after`, since a reader that comes again repeats its first URL', async () => {
  await using api = await startApi();
  const first = formatPosition(api.registry.position());
  await changeTimes(api, 2);
  const second = formatPosition(api.registry.position());
  await changeTimes(api, 1);
  await using reader = await follow(api, `?after=${first}`, { 'Last-Event-ID': second });
  await eventually(
    () => setsOf(reader.events),
    ({ length }) => length > 0,
  );
  expect(reader.events[0]?.id).toBe(second);
  expect(setsOf(reader.events)).toHaveLength(1);
});

test('a snapshot and the changes after it are the next snapshot', async () => {
  await using api = await startApi();
  const before = (await api.send({ path: '/v1/snapshot' })).json;
  await changeTimes(api, 1);
  await using reader = await follow(api, `?after=${before?.epoch}.${before?.revision}`);
  const [set] = await eventually(
    () => setsOf(reader.events),
    ({ length }) => length === 1,
  );
  expect(set?.changes.map(({ kind }) => kind)).toEqual(['service-updated', 'instance-registered']);
});

test('a position of another epoch, or one too old, is 410 before the stream begins', async () => {
  await using api = await startApi({ logCapacity: 10 });
  const { epoch, revision } = api.registry.position();
  await changeTimes(api, 50);
  for (const after of [`${epoch}.${revision}`, `other.${revision}`, `${epoch}.0`]) {
    expect(await api.send({ path: `/v1/changes?after=${after}` })).toMatchObject({
      status: 410,
      problem: { code: 'compacted' },
    });
  }
});

test('a position ahead of this registry waits for it', async () => {
  await using api = await startApi();
  const { epoch, revision } = api.registry.position();
  await using reader = await follow(api, `?after=${epoch}.${revision + 1e12}`);
  await changeTimes(api, 1);
  await using other = await follow(api, `?after=${epoch}.${revision}`);
  await eventually(
    () => setsOf(other.events),
    ({ length }) => length === 1,
  );
  expect(setsOf(reader.events)).toEqual([]);
});

test('a comment tells that both sides are there, and renewals wake nobody', async () => {
  await using api = await startApi({ keepAliveMs: 10 });
  const { generation } = await api.registry.register(name, bodyOf({ lease: { ttlMs: 60_000 } }));
  await using reader = await follow(api);
  await api.registry.renew(name, generation, { load: { loopUtilization: 1, loopDelayMs: 9_000 } });
  await eventually(
    () => reader.text(),
    (text) => text.includes(': keep-alive\n\n: keep-alive\n\n'),
  );
  expect(reader.events.filter(({ event }) => event)).toEqual([]);
});

test('waitFor=gateways is answered when the gateway that follows has reported, or names it', async () => {
  await using api = await startApi();
  await using gateway = await follow(api, '?gateway=g1');
  await eventually(() => gateway.events.length > 0);
  const path = '/v1/services/tickets/instances/one';
  const late = await api.send({
    method: 'PUT',
    path: `${path}?waitFor=gateways&wait=0s`,
    body: registrationOf(),
  });
  expect(late.json?.missing).toEqual(['g1']);

  const body = registrationOf({ version: '2' });
  const reply = api.send({ method: 'PUT', path: `${path}?waitFor=gateways&wait=60s`, body });
  const [, { id = '' } = {}] = await eventually(
    () => gateway.events.filter(({ event }) => event !== undefined),
    ({ length }) => length === 2,
  );
  const applied = await api.send({ method: 'PUT', path: '/v1/gateways/g1', body: parsePosition(id) });
  expect(applied).toMatchObject({ status: 200, json: {} });
  expect((await reply).json).toMatchObject({ missing: [], revision: parsePosition(id)?.revision });
  expect(api.registry.health().gateways).toEqual([{ id: 'g1', ...parsePosition(id) }]);
});

test('a reader that leaves is let go, and so is a gateway that only asked with HEAD', async () => {
  await using api = await startApi();
  await api.send({ method: 'HEAD', path: '/v1/changes?gateway=g1' });
  {
    await using reader = await follow(api, '?gateway=g2');
    await eventually(() => reader.events.length > 0);
  }
  await eventually(
    () => api.registry.health().gateways,
    ({ length }) => length === 0,
  );
});

test('a thousand readers, and not one more until one leaves', async () => {
  await using api = await startApi();
  const readers = await Promise.all(Array.from({ length: 1_000 }, () => follow(api)));
  expect(await api.send({ path: '/v1/changes' })).toMatchObject({
    status: 503,
    problem: { code: 'limit_reached' },
    headers: { 'retry-after': '1' },
  });
  await readers[0]?.[Symbol.asyncDispose]();
  const once200 = async () => {
    await using reader = await follow(api);
    return reader.response.statusCode;
  };
  await eventually(once200, (status) => status === 200);
  await Promise.all(readers.map((reader) => reader[Symbol.asyncDispose]()));
});

// Story: a reader that took nothing would have filled the server's memory with what it did not read.
test('a reader that takes nothing is let go; what it has read resumes without a gap', async () => {
  await using api = await startApi({ keepAliveMs: 10 });
  const socket = connect(api.port, '127.0.0.1');
  socket.write('GET /v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'readable'); // and nothing more is read
  const ids = await changeTimes(api, 1_000, bigMetadata);
  await eventually(() => api.lines.some((line) => line.kind === 'access' && line.path === '/v1/changes'));

  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {}); // the server ended it in the middle
  if (!socket.closed) await once(socket, 'close');
  const read = [...text.matchAll(/^id: (\S+)\nevent: change\ndata: .*\n\n/gm)].map(([, id]) => id);
  expect(read.length).toBeLessThan(1_000);

  // Busy with 30 MB it may be let go again (12 beats are 120 ms here): then it comes again, as readers do.
  const seen = [...read];
  while (seen.length < ids.length) {
    await using reader = await follow(api, '', { 'Last-Event-ID': seen.at(-1) ?? '' });
    const changes = () => reader.events.filter(({ event }) => event === 'change').map(({ id }) => id);
    await eventually(() => reader.response.closed || seen.length + changes().length >= ids.length);
    seen.push(...changes());
  }
  expect(seen).toEqual(ids);
});

test('a reader that falls behind what is kept is told so, and the stream ends', async () => {
  await using api = await startApi({ logCapacity: 10 });
  await using reader = await follow(api);
  await eventually(() => reader.events.length > 0);
  reader.response.pause();
  await changeTimes(api, 1_000, bigMetadata);
  reader.response.resume();
  await reader.ended;
  const last = reader.events.at(-1);
  const problem: Problem = JSON.parse(last?.data ?? '');
  expect(last?.event).toBe('compacted');
  expect(problem).toMatchObject({ code: 'compacted', status: 410 });
  expect(problem.instance).toBe(`urn:uuid:${reader.response.headers['x-request-id']}`);
});

/** 32 KiB: a few hundred of them are more than sockets hold. */
const bigMetadata = Object.fromEntries(
  Array.from({ length: 32 }, (_, index) => [`key-${index}`, 'x'.repeat(1_024)]),
);
