import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { policyDefaults } from '@reg/schema';
import { expect, test } from 'vitest';
import { startRegistry } from '../../../../tests/support/stack.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';
import { runReg } from '../reg.fixture.ts';

const good = 'url: /tickets\nauthorizedRoles: []\nruns: { ports: [3001] }\nchecking: { intervalMs: 5000 }\n';

test('check says what is wrong by file, line and column, and exits 1; nothing wrong is 0', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'tickets.yaml');
  await writeFile(file, good);
  const check = () => runReg(['policy', 'check', folder.path]);
  expect(await check()).toEqual({ code: 0, stdout: '', stderr: '1 policy, nothing wrong\n' });

  await writeFile(file, `${good}checking: {}\n`);
  await writeFile(join(folder.path, 'other.json'), '{ "checking": { "failures": 0 } }');
  const { code, stdout, stderr } = await check();
  expect(code).toBe(1);
  const failure = stdout + stderr;
  expect(failure).toContain(`${join(folder.path, 'other.json')}:1:17: checking.failures Too small`);
  expect(failure).toContain(`${file}:5:1: Map keys must be unique`);
});

test('show says every value with where it comes from: the file, else the registry, else the default', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await writeFile(join(folder.path, 'tickets.yaml'), good);
  const show = async (...args: string[]) => {
    const flags = ['--json', '--registry', registry.url, ...args];
    const { code, stdout, stderr } = await runReg(['policy', 'show', 'tickets', ...flags]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { values } = JSON.parse(stdout);
    const all = values as { path: string; value: unknown; origin: string }[];
    return Object.fromEntries(all.map(({ path, value, origin }) => [path, [value, origin]]));
  };
  expect(await show('--policies', folder.path)).toMatchObject({
    url: ['/tickets', 'file'],
    'checking.intervalMs': [5_000, 'file'],
    'checking.failures': [3, 'default'],
    checks: [[{ type: 'tcp' }], 'default'],
    'timeouts.connectMs': [policyDefaults.timeouts.connectMs, 'default'],
  });

  const register = ['register', 'tickets', '--url', '/tickets', '--endpoint', 'http://127.0.0.1:1/tickets'];
  expect((await runReg([...register, '--registry', registry.url])).code).toBe(0);
  await fetch(`${registry.url}/v1/services/tickets/policy`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ timeouts: { connectMs: 7 } }),
  });
  expect(await show()).toMatchObject({
    'timeouts.connectMs': [7, 'registry'],
    'checking.failures': [3, 'default'],
  });
});
