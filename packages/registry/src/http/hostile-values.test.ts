// Naughty strings and odd JSON in every place of the API where a caller's value goes: never a 5xx, a refused
// request changes nothing, and what is taken comes back as it went in, by a read and by the change stream.
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import {
  bodyCodes,
  type ChangeSet,
  commonCodes,
  type OperationName,
  operations,
  type Snapshot,
} from '@reg/schema';
import { expect, test } from 'vitest';
import { hasShared, sharedFolder, skipWithout } from '../../../../tests/support/part.ts';
import { seededRandom, seeds } from '../../../../tests/support/random.ts';
import { count } from '../../../../tests/support/size.ts';
import { inOrder, replay } from '../testing/replay.ts';
import { type Reply, send, startApi, type TestApi } from './test-api.ts';
import {
  anyKey,
  type Field,
  fieldsOfContract,
  type Good,
  label,
  requestWith,
  type Sent,
} from './test-fields.ts';

const instance = { service: 'tickets', id: 'one' };
/** Every field has a value, so that each is looked at as part of a whole that would be taken. */
const registration = {
  url: '/tickets',
  endpoints: [{ type: 'http', url: 'http://127.0.0.1:3001/x', as: 'x' }],
  merge: true,
  partial: 'allow',
  authorizedRoles: ['tickets-query'],
  lease: 'none',
  version: '1',
  zone: 'a',
  weight: 1,
  tags: ['t'],
  metadata: { key: 'value' },
  owner: 'ann',
  redefine: true,
};
const policy = {
  checks: [
    {
      type: 'http',
      path: '/health',
      headers: { accept: 'text/plain' },
      expect: { status: [200], body: 'ok' },
    },
  ],
  checking: { intervalMs: 1_000 },
  fallback: { use: [{ kind: 'static', body: '{}', headers: { 'x-a': 'b' } }], methods: ['GET'] },
  scaling: { min: 1, max: 2, highLoad: { inFlight: 10 } },
  timeouts: { connectMs: 100 },
};
const forced = { parameters: instance, query: { force: 'true', reason: 'why' } };
/** What is not here takes no more than its path's parameters. */
const good: Partial<Record<OperationName, Good>> = {
  register: { parameters: instance, body: registration },
  renew: { parameters: instance, body: { generation: 1 } },
  renewMany: { body: { renewals: [{ ...instance, generation: 1 }] } },
  drain: forced,
  unregister: forced,
  movePath: { body: { path: '/tickets', from: 'tickets', to: 'billing' } },
  history: { query: { service: 'tickets', limit: '1' } },
  addNotes: {
    body: {
      notes: [{ service: 'tickets', instanceId: 'one', event: 'noted', text: 'why', data: { key: 'value' } }],
    },
  },
  reportLoad: {
    parameters: { service: 'tickets' },
    body: { level: 'high', forMs: 1_000, by: 'ann', instanceId: 'one' },
  },
  setPolicy: { parameters: instance, body: policy },
  scale: { parameters: instance, body: { instances: 2 } },
  listServices: { query: { wait: '1ms' } },
  getService: { parameters: instance, query: { wait: '1ms' } },
  reportApplied: { parameters: { id: 'gateway-1' }, body: { epoch: 'e', revision: 1 } },
};
const queryOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // One of them is to be named, so the good one goes where another is tried.
  generation: { reason: 'why' },
  runId: { reason: 'why' },
  seen: {},
  wait: {},
};

function goodFor({ operation, place, at }: Field): Good {
  const one: Good = good[operation] ?? { parameters: instance };
  const [name = ''] = at;
  if (place !== 'query')
    return operation === 'listServices' || operation === 'getService' ? { ...one, query: {} } : one;
  return { ...one, query: queryOf[name] ?? one.query ?? {} };
}

/** By the ten thousand, in `test:full`. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

interface Value {
  readonly name: string;
  readonly text: string;
  readonly json: Uint8Array;
}

const corpora = `${sharedFolder}corpora/`;

function naughtyStrings(): Value[] {
  const strings: string[] = JSON.parse(readFileSync(`${corpora}blns/blns.json`, 'utf8'));
  return strings.map((text) => ({ name: text, text, json: Buffer.from(JSON.stringify(text)) }));
}

function oddDocuments(): Value[] {
  const folder = `${corpora}jsontestsuite/test_parsing/`;
  return readdirSync(folder).map((name) => {
    const json = readFileSync(folder + name);
    return { name, text: json.toString('latin1'), json };
  });
}

test('the contract has the places that we know of', () => {
  const places = fieldsOfContract().map(label);
  for (const known of [
    'register path service',
    'register query waitFor',
    'register body ',
    'register body endpoints.0.as',
    'register body authorizedRoles.anyOf.0',
    'register body lease.ttlMs',
    'register body metadata.key',
    'register body <key>',
    'renewMany body renewals.0.generation',
    'changes query gateway',
    'drain query reason',
    'reportApplied body epoch',
  ]) {
    expect(places).toContain(known);
  }
});

test.skipIf(skipWithout('the naughty strings and the JSON test suite', hasShared)).each(seeds([20_261_123]))(
  'seed %i: every value in every place',
  async (seed) => {
    const random = seededRandom(seed);
    const fields = fieldsOfContract();
    const texts = naughtyStrings();
    const documents = oddDocuments();
    await using api = await startApi();
    using follower = await follow(api);
    const taken: string[] = [];
    await reset(api);
    for (const field of fields) {
      const values = field.place === 'body' && field.at.at(-1) !== anyKey ? [...texts, ...documents] : texts;
      for (const value of some(values, random)) {
        if (await tried(api, follower, field, value)) taken.push(label(field));
      }
    }
    expect(new Set(taken).size).toBeGreaterThanOrEqual(10); // else only refusals were looked at
  },
  1_800_000,
);

/** All of them in `test:full`; else some, others for each field. */
function some(values: readonly Value[], random: () => number): readonly Value[] {
  const wanted = count({ reduced: 12, whole: values.length });
  if (wanted === values.length) return values;
  return Array.from({ length: wanted }, () => values[Math.floor(random() * values.length)]).flatMap(
    (value) => value ?? [],
  );
}

/** @returns whether it was taken */
async function tried(api: TestApi, follower: Follower, field: Field, value: Value): Promise<boolean> {
  const { operation } = field;
  const what = `${label(field)}: ${JSON.stringify(value.name)}`;
  const before = api.registry.snapshot();
  const sent = requestWith(field, goodFor(field), value.text, value.json);
  const reply = operation === 'changes' ? await headOf(api, sent) : await send(api.port, sent, agent);
  expect(reply.status, what).toBeLessThan(500);
  const after = api.registry.snapshot();
  if (reply.status >= 400) {
    const codes: readonly string[] = [...commonCodes, ...bodyCodes, ...operations[operation].codes];
    expect(codes, what).toContain(reply.problem?.code);
    expect(after, what).toEqual(before);
    return false;
  }
  if (operation === 'register') await comesBack(api, follower, sent, what);
  if (operation === 'drain' || operation === 'unregister') await reasonComesBack(api, follower, sent, what);
  const gateway = new URLSearchParams(sent.path.split('?')[1]).get('gateway');
  if (gateway !== null) {
    const connected = api.registry.health().gateways.map(({ id }) => id);
    expect(connected, what).toContain(gateway);
  }
  if (operation === 'renewMany') {
    const { renewals } = JSON.parse(String(Buffer.from(sent.body ?? '')));
    expect(reply.json?.results, what).toMatchObject([{ service: renewals[0].service, id: renewals[0].id }]);
  }
  if (after.revision !== before.revision) await reset(api);
  return true;
}

/** All that was sent, in the listing, in the snapshot and in the change stream. */
async function comesBack(api: TestApi, follower: Follower, sent: Sent, what: string): Promise<void> {
  const [, , , service = '', , id = ''] = sent.path.split(/[/?]/).map(decodeURIComponent);
  const body = JSON.parse(String(Buffer.from(sent.body ?? '')));
  const { url, authorizedRoles, redefine: _, name: _name, generation: _generation, ...own } = body;
  const expected = { ...own, instanceId: id };
  const listing = await send(api.port, { path: `/v1/services/${encodeURIComponent(service)}` }, agent);
  expect(listing.json, what).toMatchObject({ name: service, url, authorizedRoles, instances: [expected] });
  const snapshot = await send(api.port, { path: '/v1/snapshot' }, agent);
  const { replica } = await follower.until(api.registry.position().revision);
  expect(inOrder(replica).services, what).toEqual(snapshot.json?.services);
  expect(replica.services, what).toMatchObject([{ name: service, instances: [expected] }]);
}

async function reasonComesBack(api: TestApi, follower: Follower, sent: Sent, what: string): Promise<void> {
  const reason = new URLSearchParams(sent.path.split('?')[1]).get('reason');
  const { changes } = await follower.until(api.registry.position().revision);
  expect(changes, what).toContainEqual(expect.objectContaining({ service: instance.service, reason }));
}

/** As it was: one service with one instance, of a run of its own. */
async function reset(api: TestApi): Promise<void> {
  for (const { name, instances } of api.registry.snapshot().services) {
    for (const { instanceId } of instances) {
      await api.registry.unregister({ service: name, id: instanceId }, { force: true }, {});
    }
  }
  const path = '/v1/services/tickets/instances/one';
  expect((await send(api.port, { method: 'PUT', path, body: registration }, agent)).status).toBe(201);
}

interface Followed {
  readonly changes: ChangeSet['changes'];
  /** All changes until then, applied in their order. */
  readonly replica: Snapshot;
}

interface Follower extends Disposable {
  /** Once it has come. */
  until(revision: number): Promise<Followed>;
}

/** A reader of the change stream, open from the beginning to the end. */
async function follow({ port, registry }: TestApi): Promise<Follower> {
  const response = await answerTo(port, '/v1/changes');
  let seen: Followed = { changes: [], replica: registry.snapshot() };
  let wake = () => {};
  let rest = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const events = (rest + chunk).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event.split('\n').find((line) => line.startsWith('data: ')); // U+2028 ends no line here
      if (data === undefined) continue;
      const set: ChangeSet = JSON.parse(data.slice('data: '.length));
      seen = { changes: set.changes, replica: replay(seen.replica, set) };
    }
    wake();
  });
  response.on('error', () => undefined); // it is broken off by us
  return {
    async until(revision) {
      for (;;) {
        if (seen.replica.revision >= revision) return seen;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.dispose]: () => response.destroy(),
  };
}

/** A stream has no end: its head is the answer. */
async function headOf(
  { port }: TestApi,
  { path }: Sent,
): Promise<Pick<Reply, 'status' | 'problem' | 'json'>> {
  const response = await answerTo(port, path);
  const status = response.statusCode ?? 0;
  if (status < 400) {
    response.on('error', () => undefined).destroy();
    return { status, problem: undefined as never, json: undefined };
  }
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const json = JSON.parse(Buffer.concat(chunks).toString());
  return { status, problem: json, json };
}

function answerTo(port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, resolve).on('error', reject);
  });
}
