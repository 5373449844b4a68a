// Story: a firewall dropped one connection of several. Those to the others and the driver's own went on, so nobody
// noticed; what was asked over the dead one was waited for until TCP gave up, a quarter of an hour, and all that is
// asked one after the other waited with it: beats, renewals, registrations.
import { createRegistry, type Registry } from '@reg/registry';
import type { RegistrationBody } from '@reg/schema';
import { afterAll, beforeAll, expect } from 'vitest';
import { type DatabaseLine, startDatabaseLine } from '../../../tests/support/database-line.ts';
import { freshName, test } from '../../../tests/support/database-servers.ts';
import { eventually as eventuallyWithin } from '../../../tests/support/eventually.ts';
import { type ReplicaSet, startReplicaSet } from '../../../tests/support/mongod.ts';
import { openMongoStore } from './mongo-store.ts';

let replicaSet: ReplicaSet;

beforeAll(async () => {
  replicaSet = await startReplicaSet();
}, 120_000);

afterAll(() => replicaSet?.[Symbol.asyncDispose]());

interface Opened extends AsyncDisposable {
  readonly registry: Registry;
  readonly line: DatabaseLine;
}

async function open(prepare: (line: DatabaseLine) => void = () => undefined): Promise<Opened> {
  const line = await startDatabaseLine(replicaSet.members[0]?.url ?? '');
  prepare(line);
  const store = await openMongoStore({ url: line.urlOf(freshName()), log: () => undefined });
  const registry = createRegistry({ store });
  return {
    registry,
    line,
    async [Symbol.asyncDispose]() {
      await registry.close();
      await line[Symbol.asyncDispose]();
    },
  };
}

const named = (id: string) => ({ service: 'tickets', id });

const body = (port: number, more: Partial<RegistrationBody> = {}): RegistrationBody => ({
  url: '/tickets',
  endpoints: [{ type: 'http', url: `http://127.0.0.1:${port}` }],
  authorizedRoles: [],
  lease: 'none',
  ...more,
});

/** Less than the limit of a connection, and far less than TCP's. */
const eventually = (ask: () => boolean) => eventuallyWithin(ask, Boolean, { withinMs: 20_000 });
const reasonsOf = (registry: Registry) => registry.health().reasons.join();

test('a beat on a connection that died is sent again on another one', async () => {
  await using opened = await open();
  const { registry, line } = opened;
  line.silenceOne('findAndModify', 'writable');
  await eventually(() => reasonsOf(registry).includes('takes no write'));
  await eventually(() => registry.health().status === 'ok');
}, 60_000);

test('renewals on a connection that died are written on another one, health tells of it meanwhile, and who ends is ended', async () => {
  await using opened = await open();
  const { registry, line } = opened;
  const { generation } = await registry.register(named('a'), body(3001, { lease: { ttlMs: 10_000 } }));
  await registry.register(named('b'), body(3002, { lease: { ttlMs: 1_000 } }));
  line.silenceOne('aggregate', '$merge');
  await registry.renew(named('a'), generation);
  await eventually(() => reasonsOf(registry).includes('takes no renewal'));
  await eventually(() => registry.health().status === 'ok');
  await registry.renew(named('a'), generation);
  await eventually(() => registry.getService('tickets').instances.length === 1);
}, 60_000);

test.each([
  ['insert', 'services'], // a bulk
  ['delete', 'services'], // in a transaction
])(
  'what is written with %s of %s on a connection that died is written once',
  async (command, collection) => {
    await using opened = await open();
    const { registry, line } = opened;
    await registry.register(named('a'), body(3001));
    line.silenceOne(command, collection);
    await registry.register(named('b'), body(3002));
    await registry.unregister(named('a'), { force: true });
    expect(line.toSilence()).toBe(false);
    expect(registry.getService('tickets').instances.map(({ instanceId }) => instanceId)).toEqual(['b']);
  },
  30_000,
);

test('a barrier on a connection that died is moved on another one', async () => {
  await using opened = await open((line) => line.silenceOne('update', 'barrier'));
  expect(opened.line.toSilence()).toBe(false);
  await opened.registry.register(named('a'), body(3001));
}, 30_000);
