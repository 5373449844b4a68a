import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../tests/support/temporary-folder.ts';
import { runReg } from './reg.fixture.ts';
import { checkRegistryPath } from './registry-path.ts';

const good = {
  registryPath: '/registry',
  registryToken: 'a token of 32 bytes or more, for tests',
  gatewayPort: 3000,
  registry: 'http://127.0.0.1:3100',
};

test('what can be shown is shown', () => {
  expect(() => checkRegistryPath(good)).not.toThrow();
  expect(() => checkRegistryPath({ ...good, gatewayOnly: true })).not.toThrow();
  expect(() =>
    checkRegistryPath({ ...good, gatewayOnly: true, registry: 'http://192.0.2.1:3000/registry' }),
  ).not.toThrow();
  expect(() =>
    checkRegistryPath({ ...good, registryPath: undefined, registryToken: undefined }),
  ).not.toThrow();
});

const ownAddress = Object.values(networkInterfaces()).flatMap((all) => all ?? [])[0]?.address ?? '127.0.0.1';
const ownHost = ownAddress.includes(':') ? `[${ownAddress}]` : ownAddress;

test.each([
  'http://127.0.0.1:3000/registry',
  'http://localhost:3000',
  'http://[::1]:3000/registry',
  `http://${ownHost}:3000/registry`,
  'http://127.0.0.1:3100, http://127.0.0.2:3000/registry',
])('a gateway alone is not its own registry: %s', (registry) => {
  expect(() => checkRegistryPath({ ...good, gatewayOnly: true, registry })).toThrow('is this gateway itself');
});

test.each([
  [['--registry-path=/registry'], /^error: --registry-path needs --registry-token: /],
  [
    ['--registry-path=/_reg', `--registry-token=${good.registryToken}`],
    /^error: --registry-path: \/_reg is no path /,
  ],
  [
    [
      ...['--registry-path=/registry', `--registry-token=${good.registryToken}`],
      ...['--gateway-only', '--registry=http://127.0.0.1:3000/registry'],
    ],
    /^error: --registry http:\/\/127\.0\.0\.1:3000\/registry is this gateway itself/,
  ],
])('reg up %j is wrong usage: exit 2, one line, nothing runs', async (args, line) => {
  await using folder = await temporaryFolder();
  const { code, stdout, stderr } = await runReg(['up', '--data', folder.path, ...args]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(line);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
