// The command line as a whole: what every command refuses, and how. Real processes of the built program.
import { expect, test } from 'vitest';
import { operatorToken, signed } from '../../../tests/support/registry-token.ts';
import { startUp } from '../../../tests/support/stack.ts';
import { startHttpServer } from './http-server.fixture.ts';
import { freshService, registerArgs, useRegistry } from './reg.fixture.ts';

const registry = useRegistry();
const { reg, regJson } = registry;

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
  [['servces'], /^error: unknown command 'servces' \(Did you mean services\?\)\n$/],
  // The help of the whole program answered who misspelt a command, and no word said why.
  [['help', 'bogus'], /^error: unknown command 'bogus'\n$/],
  [['help', 'servces'], /^error: unknown command 'servces' \(Did you mean services\?\)\n$/],
  [['servces', '--help'], /^error: unknown command 'servces' \(Did you mean services\?\)\n$/],
  [['systemd', 'help', 'instal'], /^error: unknown command 'instal' \(Did you mean install\?\)\n$/],
  [['help', 'systemd', 'instal'], /^error: unknown command 'instal' \(Did you mean install\?\)\n$/],
  [['services', '--bogus'], /^error: unknown option '--bogus'\n$/],
  [['services', '--regsitry', 'a'], /^error: unknown option '--regsitry' \(Did you mean --registry\?\)\n$/],
  [['services', ''], /^error: .*must not be empty.*\n$/],
  [['services', '--registry', 'ftp://x'], /^error: .*It must be a URL.*\n$/],
  [['register', 'a'], /^error: required option '--url <path>' not specified\n$/],
  // "not specified" alone was told to who had specified it, misspelt.
  [
    ['register', 'a', '--ulr', '/a'],
    /^error: unknown option '--ulr'; required option '--url <path>' not.*\n$/,
  ],
  [
    ['run', '--url', '/a', '--', 'node', '-e', '1'],
    /^error: required option '--name <name>' not specified\n$/,
  ],
  [['run', '--url', '/a', 'node', '-e', '1'], /^error: required option '--name <name>' not specified\n$/],
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

test.each([
  [['help'], /^Usage: reg \[options\] \[command\]\n/],
  [['help', 'services'], /^Usage: reg services /],
  [['help', 'systemd'], /^Usage: reg systemd /],
  [['systemd', 'help', 'install'], /^Usage: reg systemd install /],
  [['run', '--help'], /^Usage: reg run /],
])('%j is help on stdout, exit 0', async (args, usage) => {
  expect(await reg(args)).toMatchObject({ code: 0, stdout: expect.stringMatching(usage), stderr: '' });
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
  await using page = await startHttpServer((_, response) => response.end('<h1>hello</h1>'));
  expect(await reg(['services', '--registry', page.url])).toMatchObject({ code: 3 });
  expect(await reg(['services', '--registry', `${away},${registry.url}`])).toMatchObject({ code: 0 });
});

// Ports mixed up: "no service is registered for this path" sent its reader to look for a service.
test('a gateway in the place of the registry is named as one', async () => {
  await using up = await startUp(['--gateway-port', '0', '--registry-port', '0'], registry.folder.path);
  const env = { REG_REGISTRY: up.running.gateway };
  const named = 'route_not_found: this is a gateway, ';
  expect(await reg(['services'], env)).toMatchObject({ code: 1, stderr: expect.stringContaining(named) });
  const leased = await reg(registerArgs(freshService(), '--lease', '5s'), env);
  expect(leased).toMatchObject({ code: 1, stderr: expect.stringContaining(named) });
});

test('an empty environment name is none, and REG_JSON=false is no', async () => {
  const { code, stdout } = await reg(['services'], { REG_JSON: 'false', REG_JWT_SECRET: '' });
  expect({ code, first: stdout[0] }).not.toMatchObject({ first: '[' });
  expect(JSON.parse((await reg(['services'], { REG_JSON: '1' })).stdout)).toBeInstanceOf(Array);
});
