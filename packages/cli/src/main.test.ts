// The commands, as a user runs them: real processes of the built program against a real registry.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, get as httpGet } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryStore, createRegistry } from '@reg/registry';
import { createRegistryServer } from '@reg/registry/http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startProcess } from '../../../tests/support/process.ts';
import { operatorToken, signed } from '../../../tests/support/registry-token.ts';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
if (!existsSync(main)) throw new Error('build first: npx pnpm@12.21.0 build');

const folder = await mkdtemp(join(tmpdir(), 'reg-cli-'));
const registry = createRegistry({ store: createMemoryStore() });
let server: Awaited<ReturnType<typeof createRegistryServer>>;
beforeAll(async () => {
  server = await createRegistryServer({ registry, port: 0 });
});
afterAll(async () => {
  await server.close();
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

type Environment = Record<string, string | undefined>;

async function start(args: readonly string[], env: Environment = {}) {
  return startProcess('node', [main, ...args], {
    env: { REG_REGISTRY: server.url, REG_DATA: folder, ...env },
  });
}

async function reg(args: readonly string[], env: Environment = {}) {
  await using program = await start(args, env);
  const { code } = await program.ended;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}

/** Exit 0, and what it printed as JSON. */
async function regJson(args: readonly string[], env: Environment = {}) {
  const { code, stdout, stderr } = await reg([...args, '--json'], env);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout);
}

let count = 0;
/** A service of its own for each test: they share one registry. */
function freshService() {
  count += 1;
  const url = `http://127.0.0.1:${10_000 + count}/tickets`;
  return {
    name: `Tickets Query Service ${count}`,
    path: `/tickets-${count}`,
    url,
    id: `127.0.0.1-${10_000 + count}`,
  };
}

const registerArgs = ({ name, path, url }: ReturnType<typeof freshService>, ...more: string[]) => [
  ...['register', name, '--url', path, '--endpoint', url],
  ...more,
];

test('registered, listed, registered again without a change, unregistered', async () => {
  const service = freshService();
  const details = [
    '--version',
    '1.2',
    '--zone',
    'z',
    '--tag',
    'a',
    '--tag',
    'b c',
    '--meta',
    'k=v=w',
    '--owner',
    'me',
  ];
  const first = await regJson(registerArgs(service, '--roles', 'x, y', '--run-id', 'r1', ...details));
  expect(first).toMatchObject({
    name: service.name,
    instanceId: service.id,
    lease: 'none',
    leaseUntil: null,
  });
  const again = await regJson(registerArgs(service, '--roles', 'x,y', '--run-id', 'r1', ...details));
  expect(again).toMatchObject({ generation: first.generation, revision: first.revision });

  const instance = {
    instanceId: service.id,
    endpoints: [{ type: 'http', url: service.url }],
    runId: 'r1',
    ...{ version: '1.2', zone: 'z', tags: ['a', 'b c'], metadata: { k: 'v=w' }, owner: 'me', lease: 'none' },
  };
  const listed = {
    name: service.name,
    url: service.path,
    authorizedRoles: ['x', 'y'],
    instances: [instance],
  };
  expect(await regJson(['services', service.name])).toMatchObject([listed]);
  expect(await regJson(['services'])).toContainEqual(expect.objectContaining({ name: service.name }));

  expect((await reg(['unregister', service.name])).stdout).toBe(
    `unregistered  ${service.name}  ${service.id}\n`,
  );
  const gone = await reg(['services', service.name]);
  expect(gone).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^service_not_found: .*\n$/),
  });
});

test.each([
  [['--roles', 'a,b'], { authorizedRoles: ['a', 'b'], access: 'token' }],
  [['--any-role', 'a,b'], { authorizedRoles: { anyOf: ['a', 'b'] }, access: 'token' }],
  [['--public'], { authorizedRoles: [], access: 'public' }],
  [[], { authorizedRoles: [], access: 'token' }],
])('%j says who may call', async (flags, expected) => {
  const service = freshService();
  await regJson(registerArgs(service, ...flags));
  expect(await regJson(['services', service.name])).toMatchObject([expected]);
});

test('several endpoints, each of its type; a name of any letters; a table that shows them', async () => {
  const { path } = freshService();
  const name = `Tïckets 日本 🎫 ${count}`;
  const endpoints = ['--endpoint', 'http://127.0.0.1:9001/a', '--endpoint', 'http://127.0.0.1:9002/b'];
  await regJson(['register', name, '--url', path, ...endpoints, '--type', 'http-get', '--type', 'http-post']);
  const { stdout } = await reg(['services', name]);
  expect(stdout.split('\n')[0]).toMatch(
    /^SERVICE +URL +ROLES +INSTANCE +STATE +LEASE +LOOP +VERSION +ENDPOINTS$/,
  );
  expect(stdout.split('\n')[1]).toMatch(/^Tïckets 日本 🎫.*http-get http:\/\/127.0.0.1:9001\/a, http-post /u);
});

test('a sunset is a date, told to callers and shown', async () => {
  const service = freshService();
  await regJson(registerArgs(service, '--sunset', '2027-01-31'));
  const sunset = Date.UTC(2027, 0, 31);
  expect(await regJson(['services', service.name])).toMatchObject([
    { instances: [{ deprecated: { sunset } }] },
  ]);
  expect((await reg(['services', service.name])).stdout).toContain('up, sunset 2027-01-31');
  expect(await reg(registerArgs(service, '--sunset', '31.1.2027'))).toMatchObject({ code: 2 });
});

test('endpoints as parts of one answer, each with its name', async () => {
  const service = freshService();
  const parts = registerArgs(service, '--endpoint', `${service.url}2`, '--merge', '--partial', 'allow');
  await regJson([...parts, '--as', '-', '--as', 'desk']);
  const [{ instances }] = (await regJson(['services', service.name])) as unknown as [
    { instances: unknown[] },
  ];
  expect(instances).toMatchObject([
    {
      merge: true,
      partial: 'allow',
      endpoints: [
        { type: 'http', url: service.url },
        { type: 'http', url: `${service.url}2`, as: 'desk' },
      ],
    },
  ]);
  expect(await reg([...parts, '--as', 'desk'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--as once for each of the 2 endpoints'),
  });
  expect(await reg(registerArgs(freshService(), '--partial', 'allow'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^invalid_request: .*needs merge: true/),
  });
});

test('unregister without an id wants exactly one instance, and names them otherwise', async () => {
  const service = freshService();
  await regJson(registerArgs(service, '--id', 'one'));
  await regJson(registerArgs({ ...service, url: `${service.url}2` }, '--id', 'two'));
  const several = await reg(['unregister', service.name]);
  expect(several).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('one, two') });
  expect((await reg(['unregister', service.name, '--id', 'one'])).code).toBe(0);
  expect((await reg(['unregister', service.name])).code).toBe(0);
  expect(await reg(['unregister', service.name])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^not listed at .*\n$/),
  });
});

// Story: systemd runs ExecStop and ExecStopPost, so every unregister of a run comes twice.
test('by its run it is found; a repeat succeeds; a later run stays listed', async () => {
  const service = freshService();
  await regJson(registerArgs(service, '--run-id', 'old'));
  await regJson(registerArgs(service, '--run-id', 'new'));
  expect((await reg(['unregister', service.name, '--run-id', 'old'])).code).toBe(0);
  const refused = await reg(['unregister', service.name, '--run-id', 'old', '--id', service.id]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^generation_superseded: /) });
  expect(await regJson(['services', service.name])).toMatchObject([{ instances: [{ runId: 'new' }] }]);

  expect(await regJson(['unregister', service.name, '--run-id', 'new'])).toMatchObject({
    unregistered: true,
  });
  expect(await regJson(['unregister', service.name, '--run-id', 'new'])).toMatchObject({
    unregistered: false,
  });
  const withId = ['unregister', service.name, '--run-id', 'new', '--id', service.id];
  expect((await reg(withId)).code).toBe(0);
  expect((await reg(['unregister', 'never known', '--run-id', 'new', '--id', 'x'])).code).toBe(0);
});

test('with a lease it stays, keeps it past its end, and leaves on a signal with exit 0', async () => {
  const service = freshService();
  await using kept = await start(registerArgs(service, '--lease', '1s'));
  await kept.printed(/^registered/m);
  const until = async () => (await regJson(['services', service.name]))[0].instances[0].leaseUntil as number;
  const first = await until();
  await eventually(until, (later) => later > first + 1_000);
  kept.kill('SIGTERM');
  expect(await kept.ended).toEqual({ code: 0, signal: null });
  expect((await reg(['services', service.name])).code).toBe(1);
});

test('drained, by an operator or by its run; a later run is left alone; a repeat succeeds', async () => {
  const service = freshService();
  await regJson(registerArgs(service, '--run-id', 'old'));
  await regJson(registerArgs(service, '--run-id', 'new'));
  const drain = ['drain', service.name, '--id', service.id];
  expect(await reg([...drain, '--run-id', 'old'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^generation_superseded: /),
  });
  expect(await regJson(['services', service.name])).toMatchObject([{ instances: [{ state: 'up' }] }]);

  const first = await regJson([...drain, '--run-id', 'new', '--reason', 'too hot']);
  expect(first).toMatchObject({ name: service.name, instanceId: service.id, revision: expect.any(Number) });
  expect(first).not.toHaveProperty('missing');
  expect(await reg(drain)).toEqual({
    code: 0,
    stdout: `draining  ${service.name}  ${service.id}\n`,
    stderr: '',
  });
  expect(await regJson(['services', service.name])).toMatchObject([{ instances: [{ state: 'draining' }] }]);
  expect(await reg(['drain', service.name, '--id', 'nobody'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^instance_not_found: .*\n$/),
  });
});

test('--wait succeeds where every gateway knows, and names those that do not', async () => {
  const [one, two, three] = [freshService(), freshService(), freshService()];
  expect(await regJson(registerArgs(one, '--wait'))).toMatchObject({ missing: [] });
  expect(await regJson(['drain', one.name, '--id', one.id, '--wait'])).toMatchObject({ missing: [] });

  await regJson(registerArgs(two));
  const hanging = new AbortController();
  registry.changes(registry.position(), hanging.signal, 'hanging-gateway');
  const late = {
    code: 1,
    stderr: expect.stringMatching(/^not_caught_up: done, .*: hanging-gateway\n$/),
  };
  await using kept = await start(registerArgs(three, '--lease', '1s', '--wait'));
  const [registered, drained] = await Promise.all([
    reg([...registerArgs(one, '--wait'), '--json']),
    reg(['drain', two.name, '--id', two.id, '--wait']),
  ]);
  expect(registered).toMatchObject(late);
  expect(JSON.parse(registered.stdout)).toMatchObject({ name: one.name, missing: ['hanging-gateway'] });
  expect(drained).toMatchObject({ ...late, stdout: `draining  ${two.name}  ${two.id}\n` });

  await kept.printed(/^registered/m);
  await kept.printed(/^done, .*: hanging-gateway$/m);
  kept.kill('SIGTERM');
  expect(await kept.ended).toEqual({ code: 0, signal: null });
  hanging.abort();
});

test('how many instances there should be is said by hand, and left to the policy again', async () => {
  const service = freshService();
  await regJson(registerArgs(service));
  expect(await regJson(['scale', service.name, '3'])).toMatchObject({ name: service.name, instances: 3 });
  expect(await regJson(['services', service.name])).toMatchObject([{ wanted: 3 }]);
  expect(await reg(['scale', service.name, '--policy'])).toEqual({
    code: 0,
    stdout: `scaled  ${service.name}  as its policy says\n`,
    stderr: '',
  });
  expect((await regJson(['services', service.name]))[0]).not.toHaveProperty('wanted');
  await regJson(['scale', service.name, '0']);
  expect(await reg(['scale', service.name])).toMatchObject({ code: 2, stdout: '' });
  expect(await reg(['scale', service.name, '1', '--policy'])).toMatchObject({ code: 2, stdout: '' });
});

test('a path is moved to another service, which gives its own in return; a repeat changes nothing', async () => {
  const [from, to] = [freshService(), freshService()];
  await regJson(registerArgs(from));
  await regJson(registerArgs(to));
  const move = ['move-path', from.path, '--from', from.name, '--to', to.name];
  const first = await regJson(move);
  expect(first).toMatchObject({
    path: from.path,
    from: from.name,
    to: to.name,
    revision: expect.any(Number),
  });
  expect(await regJson(['services', to.name])).toMatchObject([{ url: from.path }]);
  expect(await regJson(['services', from.name])).toMatchObject([{ url: to.path }]);
  expect(await reg(move)).toEqual({
    code: 0,
    stdout: `moved  ${from.path}  ${from.name} -> ${to.name}\n`,
    stderr: '',
  });
  expect(await reg(['move-path', from.path, '--from', from.name, '--to', 'never known'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^service_not_found: .*\n$/),
  });
});

test('a refusal is one line with its code and the field at fault, exit 1', async () => {
  const service = freshService();
  const refused = await reg(registerArgs({ ...service, path: 'no-slash' }));
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: 'invalid_request: url: must begin with /\n' });
  const leased = await reg(registerArgs({ ...service, path: 'no-slash' }, '--lease', '5s'));
  expect(leased).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^.*invalid_request: url.*\n$/),
  });
  await regJson(registerArgs(service, '--roles', 'a'));
  const other = registerArgs({ ...service, url: `${service.url}2` }, '--id', 'two', '--roles', 'b');
  expect(await reg(other)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^registration_conflict: .*\n$/),
  });
  await regJson([...other, '--redefine']);
});

test.each([
  [[], /^Usage: reg/],
  [['nonsense'], /^error: unknown command 'nonsense'\n$/],
  [['services', '--bogus'], /^error: unknown option '--bogus'\n$/],
  [['services', ''], /^error: .*must not be empty.*\n$/],
  [['services', '--registry', 'ftp://x'], /^error: .*It must be a URL.*\n$/],
  [['register', 'a'], /^error: required option '--url <path>' not specified\n$/],
  [['register', 'a', '--url', '/a', '--endpoint', 'nonsense'], /^error: --endpoint needs a URL.*\n$/],
  [
    ['register', 'a', '--url', '/a', '--endpoint', 'http://h:1/a', '--public', '--roles', 'x'],
    /^error: .*cannot be used.*\n$/,
  ],
  [
    ['register', 'a', '--url', '/a', '--endpoint', 'http://h:1/a', '--lease', 'soon'],
    /^error: .*like 500ms.*\n$/,
  ],
  [
    ['register', 'a', '--url', '/a', '--endpoint', 'http://h:1/a', '--meta', 'x'],
    /^error: --meta needs.*\n$/,
  ],
  [['up', '--gateway-port', '65536'], /^error: .*must be a port.*\n$/],
  [['up', '--host', '0.0.0.0'], /^error: --host 0.0.0.0 is not loopback: .*credentials.*\n$/],
  [
    ['up', '--host', '0.0.0.0', '--registry-token', operatorToken],
    /^error: --host 0.0.0.0 is not loopback: .*: --jwt-secret or --jwt-jwks\n$/,
  ],
  [
    ['up', '--host', '0.0.0.0', '--jwt-secret', 'a secret of 32 bytes or more, for this test'],
    /^error: --host 0.0.0.0 is not loopback: .*: --registry-token\n$/,
  ],
  [['up', '--host', '192.0.2.1', '--registry-only'], /^error: .*: --registry-token\n$/],
  [['up', '--host', '192.0.2.1', '--gateway-only'], /^error: .*: --jwt-secret or --jwt-jwks\n$/],
  [['up', '--registry-token', 'short'], /^error: --registry-token: .*at least 32 bytes, this one has 5\n$/],
  [['up', '--registry-token', ` ${operatorToken}`], /^error: --registry-token: .*white space\n$/],
  [['up', '--registry-token', `${operatorToken}\n`], /^error: --registry-token: no header can carry it\n$/],
  [['up', '--registry-token', signed()], /^error: --registry-token: the operator's own is needed.*\n$/],
  [
    ['up', '--registry-token', operatorToken, '--jwt-secret', operatorToken],
    /^error: --registry-token must be another secret than --jwt-secret\n$/,
  ],
  [['up', '--revoked', '/dev/null'], /^error: --revoked needs --registry-token.*\n$/],
  [['services', '--registry-token', 'a\nb'], /^error: --registry-token: no header can carry it\n$/],
  [['token', '--for', 'registry', '--services', 'a'], /^error: --for registry needs the operator's.*\n$/],
  [
    ['token', '--for', 'registry', '--registry-token', operatorToken],
    /^error: .*--services, or --read-only\n$/,
  ],
  [
    ['token', '--for', 'registry', '--registry-token', operatorToken, '--services', 'a*b'],
    /^error: --services: may have a \* at its end only\n$/,
  ],
  [
    ['token', '--for', 'registry', '--registry-token', signed(), '--services', 'a'],
    /^error: --registry-token: the operator's own is needed.*\n$/,
  ],
  [['token', '--sub', 'ada', '--services', 'a'], /^error: --services and --read-only need --for registry\n$/],
  [['up', '--allow-origin', 'https://app.example/path'], /^error: .*must be an origin.*\n$/],
  [['up', '--allow-upstreams', '10.0.0.0/8,10.0.0'], /^error: .*"10.0.0" is no network.*\n$/],
  [['up', '--allow-upstreams', ','], /^error: .*must name a network.*\n$/],
  [['up', '--trusted-proxies', 'proxy'], /^error: .*"proxy" is no network.*\n$/],
  [
    ['up', '--jwt-jwks', 'https://a.example/', '--jwt-issuer', 'a'],
    /^error: --jwt-jwks needs --jwt-audience and.*\n$/,
  ],
  [['up', '--jwt-jwks', 'https://a.example/', '--jwt-audience', 'a'], /^error: --jwt-jwks needs .*\n$/],
  [['up', '--jwt-jwks', 'http://a.example/'], /^error: --jwt-jwks: .*https, or http on loopback\n$/],
  [['up', '--jwt-jwks', 'https://a.example/', '--jwt-secret', 'x'], /^error: .*cannot be used with.*\n$/],
  [['up', '--registry-only', '--gateway-only'], /^error: .*cannot be used.*\n$/],
  [['up', '--jwt-secret', 'short'], /^error: --jwt-secret: .*at least 32 bytes.*\n$/],
  [['token'], /^error: required option '--sub <name>' not specified\n$/],
  [['drain', 'a'], /^error: say which instance: --id or --run-id\n$/],
  [['scale', 'a', 'many'], /^error: .*It must be a number, 0 to 1000\.\n$/],
  [['move-path', '/a', '--from', 'a'], /^error: required option '--to <name>' not specified\n$/],
])('%j is wrong usage: one line, exit 2', async (args, line) => {
  expect(await reg(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(line) });
});

test('a registry that does not answer, or something else that does, is exit 3; the next address is tried', async () => {
  const away = 'http://127.0.0.1:9';
  for (const args of [['services'], ['unregister', 'a'], registerArgs(freshService())]) {
    const { code, stderr } = await reg(args, { REG_REGISTRY: away });
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^registry_unavailable: .*\n$/),
    });
  }
  const page = createServer((_, response) => response.end('<h1>hello</h1>')).listen(0, '127.0.0.1');
  await once(page, 'listening');
  const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  expect(await reg(['services', '--registry', url])).toMatchObject({ code: 3 });
  page.close();
  expect(await reg(['services', '--registry', `${away},${server.url}`])).toMatchObject({ code: 0 });
});

test('an empty environment name is none, and REG_JSON=false is no', async () => {
  const { code, stdout } = await reg(['services'], { REG_JSON: 'false', REG_JWT_SECRET: '' });
  expect({ code, first: stdout[0] }).not.toMatchObject({ first: '[' });
  expect(JSON.parse((await reg(['services'], { REG_JSON: '1' })).stdout)).toBeInstanceOf(Array);
});

test('watch prints a line per change, nothing raw, and goes on with the registry that comes in place', async () => {
  const data = join(folder, 'watched');
  const up = (port: string) =>
    start(['up', '--registry-only', '--registry-port', port, '--json', '--data', data]);
  let url = '';
  await using watched = await (async () => {
    await using first = await up('0');
    const [line] = await first.printed(/^\{"registry".*\}$/m);
    url = JSON.parse(line).registry;
    const watcher = await start(['watch', '--json'], { REG_REGISTRY: url });
    await watcher.printed(/^watching/m);
    await regJson(registerArgs(freshService(), '--meta', 'k=\u009b2J\u202e'), { REG_REGISTRY: url });
    await watcher.printed(/"kind":"instance-registered"/);
    return watcher;
  })();
  expect(watched.stdout()).not.toMatch(/[\u009b\u202e]/);
  await using second = await up(new URL(url).port);
  await second.printed(/^\{"registry".*\}$/m);
  await watched.printed(/"kind":"snapshot"/);
  const service = freshService();
  await regJson(registerArgs(service), { REG_REGISTRY: url });
  await watched.printed(new RegExp(`"service":"${service.name}"`));
  for (const line of watched.stdout().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('kind');
});

test('who reads enough of a watch ends it without a word', async () => {
  const child = spawn(process.execPath, [main, 'watch', '--registry', server.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close');
  await eventually(() => stderr.includes('watching'));
  child.stdout.destroy();
  await regJson(registerArgs(freshService()));
  expect(await ended).toEqual([0, null]);
  expect(stderr).toMatch(/^watching.*\n$/);
});

const upArgs = ['up', '--gateway-port', '0', '--registry-port', '0'];

test('up makes one secret, also when two start at once; reg token finds it; the gateway takes the token', async () => {
  const data = join(folder, 'fresh');
  await using one = await start([...upArgs, '--json', '--data', data]);
  await using two = await start([...upArgs, '--json', '--data', data]);
  const running = [];
  for (const each of [one, two]) running.push(JSON.parse((await each.printed(/^\{"gateway".*\}$/m))[0]));
  expect(running.filter(({ jwtSecretMade }) => jwtSecretMade)).toHaveLength(1);
  expect(await readdir(data)).toEqual(['jwt-secret']);

  const upstream = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const token = (await reg(['token', '--sub', 'ada', '--roles', 'a,b', '--data', data])).stdout;
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  for (const { gateway, registry } of running) {
    await regJson(['register', 'a', '--url', '/a', '--endpoint', url, '--roles', 'b'], {
      REG_REGISTRY: registry,
    });
    const get = () => fetch(`${gateway}/a`, { headers: { authorization: `Bearer ${token.trim()}` } });
    await eventually(get, ({ status }) => status === 200);
  }
  upstream.close();
  for (const each of [one, two]) {
    each.kill('SIGTERM');
    expect(await each.ended).toEqual({ code: 0, signal: null });
  }
});

test('up --allow-origin, repeated or a line each in the environment, lets pages open WebSockets', async () => {
  const origins = ['https://a.example', 'https://b.example'];
  const flags = origins.flatMap((origin) => ['--allow-origin', origin]);
  await using byFlags = await start([...upArgs, ...flags, '--json']);
  await using byEnvironment = await start([...upArgs, '--json'], { REG_ALLOW_ORIGIN: origins.join('\n') });
  for (const each of [byFlags, byEnvironment]) {
    const { gateway } = JSON.parse((await each.printed(/^\{"gateway".*\}$/m))[0]);
    const statuses = [];
    for (const Origin of [...origins, 'https://c.example']) {
      const request = httpGet(gateway, {
        headers: {
          ...{ Origin, Connection: 'Upgrade', Upgrade: 'websocket' },
          ...{ 'Sec-WebSocket-Key': 'x', 'Sec-WebSocket-Version': '13' },
        },
      });
      const [answer] = await once(request, 'response');
      answer.resume();
      statuses.push(answer.statusCode);
    }
    expect(statuses).toEqual([404, 404, 403]); // no service is there, but an origin's refusal comes before
  }
});

test('up prints a line per thing that runs; a port in use is one line, exit 1', async () => {
  await using up = await start(upArgs);
  await up.printed(/^jwt-secret .*$/m);
  expect(up.stdout()).toMatch(
    /^gateway {2}http:\/\/127\.0\.0\.1:\d+\nregistry http:\/\/127\.0\.0\.1:\d+\ndata +\/.*\njwt-secret .*\n$/,
  );
  const port = /registry http:\/\/127\.0\.0\.1:(\d+)/.exec(up.stdout())?.[1] ?? '';
  for (const flags of [
    ['--registry-port', port],
    ['--gateway-port', port],
  ]) {
    const second = await reg([...upArgs, ...flags]);
    expect(second).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: port ${port} is in use by another program\n`,
    });
  }
});

test('a gateway alone follows the registry across the network, and keeps going without it', async () => {
  const upstream = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  await using gateway = await start([
    'up',
    '--gateway-only',
    '--gateway-port',
    '0',
    '--json',
    '--data',
    join(folder, 'alone'),
  ]);
  const [line] = await gateway.printed(/^\{"gateway".*\}$/m);
  const { name, path } = freshService();
  await regJson(['register', name, '--url', path, '--endpoint', url, '--public']);
  await eventually(
    () => fetch(JSON.parse(line).gateway + path),
    ({ status }) => status === 200,
  );
  upstream.close();
});

test('the roles go into the claim that up reads; scope is words', async () => {
  const env = { REG_JWT_SECRET: 'a secret of 32 bytes or more, for this test' };
  const claims = async (...flags: string[]) => {
    const { token } = await regJson(['token', '--sub', 'ada', '--ttl', '90s', ...flags], env);
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  };
  const plain = await claims('--roles', 'a,b');
  expect(plain).toMatchObject({ sub: 'ada', aud: 'reg', iss: 'reg', roles: ['a', 'b'] });
  expect(plain.exp - plain.iat).toBe(90);
  expect(await claims('--roles', 'a,b', '--jwt-roles-claim', 'scope')).toMatchObject({ scope: 'a b' });
  const named = await claims(
    '--roles',
    'a',
    '--jwt-roles-claim',
    'https://x.example/roles',
    '--jwt-audience',
    'q',
  );
  expect(named).toMatchObject({ 'https://x.example/roles': ['a'], aud: 'q' });
  expect(await reg(['token', '--sub', 'ada', '--data', join(folder, 'none')])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: no JWT secret in .*\n$/),
  });
});

test('a token for the registry names its services, itself and its end; --json shows its id', async () => {
  const env = { REG_REGISTRY_TOKEN: operatorToken };
  const args = ['token', '--for', 'registry', '--services', 'tickets, billing-*'];
  const { token, jti } = await regJson([...args, '--sub', 'deploy', '--ttl', '90s'], env);
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  expect(claims).toMatchObject({
    aud: 'reg-registry',
    jti,
    sub: 'deploy',
    services: ['tickets', 'billing-*'],
  });
  expect(claims.exp - claims.iat).toBe(90);
  expect(claims).not.toHaveProperty('iss');
  const { stdout } = await reg([...args, '--read-only'], env);
  const plain = JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString());
  expect(plain).toMatchObject({
    readOnly: true,
    services: ['tickets', 'billing-*'],
    jti: expect.any(String),
  });
  expect(plain).not.toHaveProperty('sub');
  expect(plain.jti).not.toBe(jti);
});

test('a list of revoked ids is read again when it changes; one that is gone keeps what it said last', async () => {
  const revoked = join(folder, 'revoked');
  await writeFile(revoked, 'other\n');
  const env = { REG_REGISTRY_TOKEN: operatorToken };
  const flags = ['--registry-only', '--registry-port', '0', '--revoked', revoked];
  await using up = await start(['up', ...flags, '--json', '--log', 'pretty'], env);
  const [line] = await up.printed(/^\{"registry".*\}$/m);
  const { registry: url } = JSON.parse(line);
  const { token, jti } = await regJson(['token', '--for', 'registry', '--read-only'], env);
  const status = async () =>
    (await fetch(`${url}/v1/services`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await status()).toBe(200);
  await writeFile(`${revoked}.new`, ` other \n\n${jti}\n`);
  await rename(`${revoked}.new`, revoked);
  await eventually(status, (now) => now === 401);

  await rm(revoked);
  await up.printed(/--revoked .* cannot be read, what it said last stays: ENOENT.*$/m);
  expect(await status()).toBe(401);
  await writeFile(revoked, '');
  await up.printed(/--revoked .* is read again$/m);
  expect(await status()).toBe(200);
  expect(up.stderr()).not.toContain(token);

  const missing = await reg(['up', ...flags.slice(0, -1), join(folder, 'no such file')], env);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: .*no such file.*\n$/) });
});
