// `reg up --gateway-only --store`: the gateway reads the database itself, and a database that is away costs it
// nothing but freshness. Real processes of the built program, a real mongod that goes and comes back.
import { join } from 'node:path';
import type { GatewayHealth } from '@reg/schema';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { freePort } from '../../../tests/support/free-port.ts';
import { hasMongod, type ReplicaSet, startMongod, startReplicaSet } from '../../../tests/support/mongod.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import type { StartedProcess } from '../../../tests/support/process.ts';
import { startUp } from '../../../tests/support/stack.ts';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { startHttpServer } from './http-server.fixture.ts';
import { startReg } from './reg.fixture.ts';

const withMongod = test.skipIf(skipWithout('a mongod', hasMongod));
const password = 'open-sesame-4711';

let upstream: Awaited<ReturnType<typeof startHttpServer>>;

beforeAll(async () => {
  upstream = await startHttpServer((_request, response) => response.end('hello'));
});

afterAll(() => upstream?.[Symbol.asyncDispose]());

const flags = ['--gateway-only', '--gateway-port=0', '--admin-port=0'];

const start = (data: string, store: string) =>
  startReg(['up', ...flags, '--json', '--data', data, '--store', store]);

async function startGateway(data: string, store: string) {
  const { process: program, running } = await startUp([...flags, '--store', store], data);
  const { gateway = '', admin = '' } = running;
  return {
    program,
    status: async (path: string) => (await fetch(gateway + path)).status,
    async health(): Promise<GatewayHealth> {
      const response = await fetch(`${admin}/v1/health`);
      return ((await response.json()) as { gateway: GatewayHealth }).gateway;
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** As an operator does by hand. */
async function insert(url: string, name: string): Promise<void> {
  const client = await mongo.MongoClient.connect(url);
  try {
    await client
      .db()
      .collection('services')
      .insertOne({
        name,
        url: `/${name}`,
        endpoints: [{ type: 'http', url: `${upstream.url}/${name}` }],
        authorizedRoles: [],
        access: 'public',
      });
  } finally {
    await client.close();
  }
}

const answers = (gateway: { status(path: string): Promise<number> }, path: string) =>
  eventually(
    () => gateway.status(path),
    (status) => status === 200,
    { withinMs: 30_000 },
  );

async function kill({ members }: ReplicaSet): Promise<void> {
  for (const { process } of members) {
    process.kill('SIGKILL');
    await process.ended;
  }
}

async function end(program: StartedProcess) {
  program.kill('SIGTERM');
  return program.ended;
}

withMongod(
  'the database goes away and comes back: the gateway serves, says since when its view is old, and follows on',
  async () => {
    await using folder = await temporaryFolder();
    await using database = await startReplicaSet();
    const url = database.urlOf('reg');
    await using gateway = await startGateway(folder.path, url);
    await insert(url, 'first');
    await answers(gateway, '/first');
    expect(await gateway.health()).toMatchObject({ status: 'ok', stale: false });

    const before = Date.now();
    await kill(database);
    const { ready } = await eventually(gateway.health, ({ stale }) => stale, { withinMs: 30_000 });
    expect(ready).toMatchObject({ ok: true, reasons: [{ code: 'stale_view' }] });
    expect(ready.reasons[0]?.since).toBeGreaterThan(before - 10_000);
    expect(await gateway.status('/first')).toBe(200);

    for (const member of database.members) await member.restart();
    await insert(url, 'second');
    await answers(gateway, '/second');
    await eventually(gateway.health, ({ status }) => status === 'ok', { withinMs: 30_000 });
  },
  120_000,
);

// Story: a gateway that reads the database kept nothing on disk, and could not start while the database was away.
withMongod(
  'started while the database is away: it serves what it kept, follows once the database is there, and ends when told',
  async () => {
    await using folder = await temporaryFolder();
    await using database = await startReplicaSet();
    const url = database.urlOf('reg').replace('//', `//ada:${password}@`);
    const open = database.urlOf('reg');
    {
      await using gateway = await startGateway(folder.path, open);
      await insert(open, 'first');
      await answers(gateway, '/first');
      expect(await end(gateway.program)).toMatchObject({ code: 0 });
    }
    await kill(database);

    await using closed = await startGateway(folder.path, url);
    expect(await closed.status('/first')).toBe(200);
    await eventually(closed.health, ({ reasons }) => /no database that can be used/.test(reasons.join()), {
      withinMs: 30_000,
    });
    expect(await closed.health()).toMatchObject({ stale: true, ready: { ok: true } });
    expect(await end(closed.program)).toMatchObject({ code: 0 }); // in the middle of an attempt
    expect(closed.program.stderr()).toMatch(/serves what it kept, and goes on trying: no database/);
    expect(closed.program.stdout() + closed.program.stderr()).not.toContain(password);

    await using gateway = await startGateway(folder.path, open);
    expect(await gateway.status('/first')).toBe(200);
    for (const member of database.members) await member.restart();
    await insert(open, 'second');
    await answers(gateway, '/second');
    expect(await gateway.status('/first')).toBe(200);
    await eventually(gateway.health, ({ status }) => status === 'ok', { withinMs: 30_000 });
    await gateway.program.printed(/the database is there: it is followed/); // the log gathers lines, so it may come later
  },
  180_000,
);

withMongod(
  'what a person has to mend ends it with one line, whatever was kept',
  async () => {
    await using folder = await temporaryFolder();
    await using database = await startReplicaSet();
    await using asking = await startMongod(['--auth']);
    {
      await using gateway = await startGateway(folder.path, database.urlOf('reg'));
      await insert(database.urlOf('reg'), 'first');
      await answers(gateway, '/first');
    }
    const url = `${asking.url.replace('//', `//ada:${password}@`)}/reg`;
    await using program = await start(folder.path, url);
    expect(await program.ended).toMatchObject({ code: 1 });
    expect(program.stdout()).toBe('');
    expect(program.stderr()).toMatch(/^store_unavailable: [^\n]*does not let the user ada in[^\n]*\n$/);
    expect(program.stderr()).not.toContain(password);
  },
  60_000,
);

test('no database and nothing kept: one line that says both, and it ends', async () => {
  await using folder = await temporaryFolder();
  const store = `mongodb://ada:${password}@127.0.0.1:${await freePort()}/reg`;
  await using program = await start(join(folder.path, 'data'), store);
  expect(await program.ended).toMatchObject({ code: 1 });
  expect(program.stdout()).toBe('');
  expect(program.stderr()).toMatch(
    /^store_unavailable: no database [^\n]*; and no snapshot was kept[^\n]*\n$/,
  );
  expect(program.stderr()).not.toContain(password);
}, 60_000);
