// `reg config`, as a user runs it.
import { expect, test } from 'vitest';
import { runReg } from '../reg.fixture.ts';

interface Setting {
  readonly flag: string;
  readonly environment: string;
  readonly value: unknown;
  readonly origin: string;
}

/** By flag: value and origin. */
async function settings(args: readonly string[], env?: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await runReg(['config', '--json', ...args], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const parsed: { settings: Setting[] } = JSON.parse(stdout);
  return Object.fromEntries(parsed.settings.map(({ flag, value, origin }) => [flag, [value, origin]]));
}

test('each setting has its value and its origin: a flag goes before the environment, that before the default', async () => {
  const env = { REG_GATEWAY_PORT: '4000', REG_REGISTRY_PORT: '4100', REG_GATEWAY_ONLY: 'no', REG_HOST: '' };
  const found = await settings(['up', '--gateway-port', '5000', '--allow-origin', 'https://a.example'], env);
  expect(found).toMatchObject({
    '--gateway-port': [5_000, 'flag'],
    '--registry-port': [4_100, 'environment'],
    '--host': ['127.0.0.1', 'default'],
    '--gateway-only': [false, 'default'],
    '--jwt-secret': [null, 'default'],
    '--allow-origin': [['https://a.example'], 'flag'],
    '--log': ['json', 'default'],
    '--data': [expect.stringMatching(/\/reg$/), 'default'],
  });
  expect(await settings(['--gateway-port=5000'], env)).toMatchObject({ '--gateway-port': [5_000, 'flag'] });
});

test('what a command would refuse is refused here, with the same words', async () => {
  const refused = await runReg(['config'], { REG_GATEWAY_PORT: 'many' });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/REG_GATEWAY_PORT.*must be a port/);
  expect(await runReg(['config', 'up', '--nonsense'])).toMatchObject({ code: 2, stdout: '' });
  expect((await runReg(['config', 'nothing'])).stderr).toContain('there is no command nothing');
});

test('a secret is never shown, wherever it comes from', async () => {
  const secret = 'hunter2-hunter2-hunter2-hunter2-hunter2';
  const env = {
    REG_JWT_SECRET: secret,
    REG_TOKEN: secret,
    REG_REGISTRY: `http://me:${secret}@127.0.0.1:3100`,
    REG_STORE: `mongodb://me:a/b,${secret}@127.0.0.1/reg`,
  };
  for (const args of [['up'], ['token', '--jwt-secret', secret], ['explain', `--token=${secret}`]]) {
    for (const form of ['--json', '--show-origin']) {
      const { code, stdout, stderr } = await runReg(['config', form, ...args], env);
      expect([code, stdout.includes('(set)')]).toEqual([0, true]);
      expect(stdout + stderr).not.toContain(secret);
    }
  }
});

test('--show-origin names the flag or the variable; without it there are two columns', async () => {
  const env = { REG_REGISTRY_PORT: '4100' };
  const { stdout } = await runReg(['config', '--show-origin', '--gateway-port', '5000'], env);
  const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(lines[0]).toEqual(['SETTING', 'VALUE', 'ORIGIN']);
  expect(lines).toContainEqual(['--gateway-port', '5000', 'flag --gateway-port']);
  expect(lines).toContainEqual(['--registry-port', '4100', 'environment REG_REGISTRY_PORT']);
  expect(lines).toContainEqual(['--host', '127.0.0.1', 'default']);
  expect((await runReg(['config'])).stdout).not.toContain('ORIGIN');
});

test('every flag that the help of a command names is in its settings, also of one with mandatory flags', async () => {
  for (const command of ['up', 'register', 'drain', 'token', 'explain', 'config']) {
    const { stdout: help } = await runReg([command, '--help']);
    const named = [...help.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag).sort();
    expect(named.length).toBeGreaterThan(1);
    expect(Object.keys(await settings([command])).sort()).toEqual(named);
  }
});

test('a command of a group has its settings too', async () => {
  const found = await settings(['systemd', 'install', '--host', '::1', '--template'], {
    REG_HEALTH: '/health',
  });
  expect(found).toMatchObject({
    '--host': ['::1', 'flag'],
    '--template': [true, 'flag'],
    '--health': ['/health', 'environment'],
    '--force': [false, 'default'],
  });
});
