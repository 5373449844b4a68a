// `reg` over a database: real processes of the built program, a real mongod that asks who we are.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { freePort } from '../../../tests/support/free-port.ts';
import {
  hasMongod,
  type Mongod,
  type ReplicaSet,
  startMongod,
  startReplicaSet,
} from '../../../tests/support/mongod.ts';
import { skipWithout } from '../../../tests/support/part.ts';
import { startUp } from '../../../tests/support/stack.ts';
import { useTemporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { startHttpServer } from './http-server.fixture.ts';
import { runReg, startReg } from './reg.fixture.ts';

const skipped = skipWithout('a mongod', hasMongod);
const password = 'open-sesame-4711';

const folder = useTemporaryFolder();
let asking: Mongod;
let replicaSet: ReplicaSet;

beforeAll(async () => {
  if (skipped) return;
  [asking, replicaSet] = await Promise.all([startMongod(['--auth']), startReplicaSet()]);
  await createUsers();
}, 120_000);

afterAll(async () => {
  await asking?.[Symbol.asyncDispose]();
  await replicaSet?.[Symbol.asyncDispose]();
});

/** The first one may be made from this machine without a name; that one makes the others. */
async function createUsers(): Promise<void> {
  const nobody = new mongo.MongoClient(asking.url);
  await nobody.db('admin').command({ createUser: 'root', pwd: password, roles: ['root'] });
  await nobody.close();
  const users = { ada: ['readWrite', 'dbAdmin'], bob: ['readWrite', 'dbAdmin'], reader: ['read'] };
  for (const [createUser, roles] of Object.entries(users)) await asRoot({ createUser, pwd: password, roles });
}

async function asRoot(command: mongo.Document): Promise<void> {
  const root = new mongo.MongoClient(asking.url, { auth: { username: 'root', password } });
  await root.db('reg').command(command);
  await root.close();
}

const urlAt = (user: string, rest = '/reg', secret = password) =>
  asking.url.replace('//', `//${user}:${secret}@`) + rest;

const reg = (...args: readonly string[]) => runReg(args, { REG_DATA: folder.path });

function startOver(store: string, ...flags: string[]) {
  const ports = ['--gateway-port=0', ...(flags.includes('--gateway-only') ? [] : ['--registry-port=0'])];
  return startUp([...ports, '--store', store, ...flags], folder.path);
}

/** It takes connections and says nothing, as a machine does whose database stands still. */
async function startSilentDatabase() {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/reg`,
    /** Waits for one more who connects. */
    asked: () => {
      const before = connections;
      return eventually(() => connections > before, undefined, { withinMs: 10_000 });
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function healthOf(registry = '') {
  const response = await fetch(`${registry}/v1/health`);
  return (await response.json()) as { status: string; ready: { ok: boolean; reasons: unknown[] } };
}

const plain = (name: string, url: string, more: object = {}) => ({
  name,
  url: `/${name}`,
  endpoints: [{ type: 'http', url }],
  authorizedRoles: [],
  access: 'public',
  ...more,
});

async function withServices<Result>(
  url: string,
  work: (services: mongo.Collection, db: mongo.Db) => Promise<Result>,
): Promise<Result> {
  const client = await mongo.MongoClient.connect(url);
  try {
    return await work(client.db().collection('services'), client.db());
  } finally {
    await client.close();
  }
}

test.skipIf(skipped).each([
  ['a wrong password', () => urlAt('ada', '/reg', `${password}-not`), 1, /does not let the user ada in/],
  ['no permission', () => urlAt('reader'), 1, /does not allow the user reader .*readWrite and dbAdmin/],
  ['no name at all', () => `${asking.url}/reg`, 1, /does not allow somebody without a name/],
  ['an unknown option', () => urlAt('ada', '/reg?nope=1'), 2, /option nope is not supported/],
  ['no database in it', () => urlAt('ada', '/'), 2, /names no database/],
  ['a URL of something else', () => urlAt('ada').replace('mongodb:', 'http:'), 2, /must be memory or/],
  ['a password that is not escaped', () => urlAt('ada', '/reg', `${password}@x`), 2, /written as %40/],
])('%s: one line on stderr, without the password, and it ends', async (_name, url, code, line) => {
  for (const command of [['up', '--gateway-port=0', '--registry-port=0'], ['verify']]) {
    if (command[0] === 'verify' && url().includes('reader')) continue; // who reads may verify
    const ended = await reg(...command, '--store', url());
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(line);
    expect(ended.stderr).toMatch(/^[^\n]+\n$/);
    expect(ended.stderr).not.toContain(password);
  }
});

test('no database there: one line on stderr, and it ends', async () => {
  const url = `mongodb://ada:${password}@127.0.0.1:${await freePort()}/reg`;
  const ended = await reg('up', '--gateway-port=0', '--registry-port=0', '--store', url);
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toMatch(
    /^store_unavailable: no database .* answers at 127[^\n]*ECONNREFUSED[^\n]*\n$/,
  );
  expect(ended.stderr).not.toContain(password);
}, 30_000);

test.skipIf(skipped)(
  'a set by another name is told as such',
  async () => {
    const other = replicaSet.urlOf('reg').replace('replicaSet=rs', 'replicaSet=other');
    const ended = await reg('up', '--gateway-port=0', '--registry-port=0', '--store', other);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(
      /^store_unavailable: [^\n]*no member of the replica set that the URL names[^\n]*\n$/,
    );
  },
  30_000,
);

// Story: with readPreference=secondary a set of one member was waited for in vain, and a larger one read what was long past.
test.skipIf(skipped)(
  'what the URL says of reading and writing that would not do is not heeded',
  async () => {
    const options = 'readPreference=secondary&readConcernLevel=local&w=1&journal=false';
    const url = `${replicaSet.urlOf('careless')}&${options}`;
    await using up = await startOver(url, '--registry-only');
    const register = ['register', 'tickets', '--url', '/tickets', '--endpoint', 'http://127.0.0.1:3001'];
    expect(await reg(...register, '--registry', up.running.registry ?? '')).toMatchObject({ code: 0 });
    expect(await reg('verify', '--store', url)).toMatchObject({ code: 0 });
  },
  30_000,
);

// Story: Ctrl-C while the database was away was heard ten seconds later, and then told that it was away.
test('ended while it waits for a database, it gives up waiting and ends without a word', async () => {
  await using silent = await startSilentDatabase();
  for (const only of ['--registry-only', '--gateway-only']) {
    const flags = [only, '--gateway-port=0', '--registry-port=0', '--store', silent.url];
    await using program = await startReg(['up', ...flags], { REG_DATA: folder.path });
    await silent.asked();
    program.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.stdout() + program.stderr()).toBe('');
  }
}, 30_000);

test.skipIf(skipped)(
  'it runs with the two roles that the message names; nothing shows the password',
  async () => {
    await using up = await startOver(urlAt('ada', '/reg?authSource=reg'));
    const { process: program, running } = up;
    expect(running.store).toBe(`${asking.url}/reg`);
    const { stdout } = await reg('config', 'up', '--json', '--store', urlAt('ada'));
    const health = JSON.stringify(await healthOf(running.registry));
    expect(program.stdout() + program.stderr() + stdout + health).not.toContain(password);
    // Whoever may only read sees collections and indexes too.
    expect(await reg('verify', '--store', urlAt('reader'))).toMatchObject({ code: 0, stdout: '' });
  },
);

// Story: health and each 503 told the whole command that was refused: documents, sessions, what the cluster had signed.
test.skipIf(skipped)(
  'a user who loses the right to write meanwhile: registering and health say so in one line, and no command is shown',
  async () => {
    await using up = await startOver(urlAt('bob'), '--registry-only');
    const { registry = '' } = up.running;
    await asRoot({ updateUser: 'bob', roles: ['read'] });
    const register = ['register', 'tickets', '--url', '/tickets', '--endpoint', 'http://127.0.0.1:3001'];
    const refused = await eventually(
      () => reg(...register, '--registry', registry),
      ({ code }) => code !== 0,
    );
    expect(refused.stderr).toMatch(/^store_unavailable: not authorized on reg to execute command \w+\n$/);
    const { ready } = await eventually(
      () => healthOf(registry),
      ({ status }) => status === 'degraded',
    );
    expect(JSON.stringify(ready.reasons)).toMatch(/not authorized on reg to execute command \w+"/);
    await asRoot({ updateUser: 'bob', roles: ['readWrite', 'dbAdmin'] });
    await eventually(
      () => reg(...register, '--registry', registry),
      ({ code }) => code === 0,
    );
  },
  30_000,
);

test.skipIf(skipped)(
  'a gateway alone reads the database itself: what is inserted by hand is served',
  async () => {
    const url = replicaSet.urlOf('gatewayAlone');
    await using upstream = await startHttpServer((_request, response) => response.end('hello'));
    await using up = await startOver(url, '--gateway-only');
    const { running } = up;
    expect(running).not.toHaveProperty('registry');
    await withServices(url, (services) => services.insertOne(plain('tickets', upstream.url)));
    const answer = await eventually(
      () => fetch(`${running.gateway}/tickets`),
      ({ status }) => status === 200,
    );
    expect(await answer.text()).toBe('hello');
  },
  30_000,
);

test.skipIf(skipped)(
  'two registries over one database list the same, and one that starts anew too',
  async () => {
    const url = replicaSet.urlOf('shared');
    await using one = await startOver(url, '--registry-only');
    await using two = await startOver(url, '--registry-only');
    const register = ['register', 'tickets', '--url', '/tickets', '--endpoint', 'http://127.0.0.1:3001'];
    expect((await reg(...register, '--registry', one.running.registry ?? '')).code).toBe(0);
    const listed = async (registry = '') => (await reg('services', '--registry', registry)).stdout;
    await eventually(
      () => listed(two.running.registry),
      (text) => text.includes('tickets'),
    );
    two.process.kill('SIGKILL');
    await using three = await startOver(url, '--registry-only');
    expect(await listed(three.running.registry)).toContain('tickets');
  },
  60_000,
);

test.skipIf(skipped)(
  'what means nothing is in health, in reg services --invalid and in reg verify',
  async () => {
    const url = replicaSet.urlOf('invalid');
    await using up = await startOver(url, '--registry-only');
    const { running } = up;
    const registry = ['--registry', running.registry ?? ''];
    expect(await reg('services', '--invalid', ...registry)).toMatchObject({ code: 0, stdout: '' });
    expect(await reg('verify', '--store', url)).toMatchObject({ code: 0, stdout: '' });

    const bad = plain('bad', 'no address');
    await withServices(url, (services) => services.insertOne(bad));
    const { id } = { id: String((bad as { _id?: unknown })._id) };
    const health = await eventually(
      () => healthOf(running.registry),
      ({ status }) => status === 'degraded',
    );
    expect(health.ready).toMatchObject({ ok: true, reasons: [{ code: 'invalid_documents' }] });
    const shown = await reg('services', '--invalid', ...registry);
    expect(shown.stdout).toMatch(new RegExp(`^${id} +endpoints\\.0\\.url `, 'm'));
    const asJson = JSON.parse((await reg('services', '--invalid', '--json', ...registry)).stdout);
    expect(asJson).toMatchObject([{ id, path: 'endpoints.0.url', message: expect.any(String) }]);
    expect(await reg('services', 'bad', '--invalid', ...registry)).toMatchObject({ code: 2 });

    const verified = await reg('verify', '--json', '--store', url);
    expect(verified.code).toBe(1);
    expect(JSON.parse(verified.stdout)).toMatchObject({
      counts: { services: 1 },
      findings: [{ collection: 'services', id, path: 'endpoints.0.url' }],
    });
    const text = await reg('verify', '--store', url);
    expect(text).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`services    ${id}  endpoints.0.url`),
    });

    await withServices(url, (services) => services.deleteMany({ name: 'bad' }));
    await eventually(
      () => healthOf(running.registry),
      ({ status }) => status === 'ok',
    );
  },
  30_000,
);

test.skipIf(skipped)(
  'health says since when the database is away, and that it is back',
  async () => {
    await using database = await startReplicaSet();
    await using up = await startOver(database.urlOf('away'), '--registry-only');
    const { running } = up;
    const [member] = database.members;
    const before = Date.now();
    member?.process.kill('SIGSTOP');
    const away = await eventually(
      () => healthOf(running.registry),
      ({ status }) => status === 'degraded',
      { withinMs: 15_000 },
    );
    member?.process.kill('SIGCONT');
    expect(away.ready).toMatchObject({ ok: true, reasons: [{ code: 'store_unavailable' }] });
    const [reason] = away.ready.reasons as { since?: number }[];
    expect(Math.abs((reason?.since ?? 0) - before)).toBeLessThan(10_000);
    await eventually(
      () => healthOf(running.registry),
      ({ status }) => status === 'ok',
      { withinMs: 30_000 },
    );
  },
  90_000,
);
