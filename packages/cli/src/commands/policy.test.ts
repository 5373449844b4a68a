import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { policyDefaults } from '@reg/schema';
import { expect, test } from 'vitest';
import { run } from '../../../../tests/support/run.ts';
import { reg, runReg, startRegistry } from '../../../../tests/support/stack.ts';
import { temporaryFolder } from '../../../../tests/support/temporary-folder.ts';

const good = 'url: /tickets\nauthorizedRoles: []\nruns: { ports: [3001] }\nchecking: { intervalMs: 5000 }\n';

test('check says what is wrong by file, line and column, and exits 1; nothing wrong is 0', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'tickets.yaml');
  await writeFile(file, good);
  const check = () => run([process.execPath, reg, 'policy', 'check', folder.path]);
  expect(await check()).toEqual({ stdout: '', stderr: '1 policy, nothing wrong\n' });

  await writeFile(file, `${good}checking: {}\n`);
  await writeFile(join(folder.path, 'other.json'), '{ "checking": { "failures": 0 } }');
  const failure = await check().catch((error: Error) => error.message);
  expect(failure).toContain('ended with 1');
  expect(failure).toContain(`${join(folder.path, 'other.json')}:1:17: checking.failures Too small`);
  expect(failure).toContain(`${file}:5:1: Map keys must be unique`);
});

test('show says every value with where it comes from: the file, else the registry, else the default', async () => {
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(join(folder.path, 'data'));
  await writeFile(join(folder.path, 'tickets.yaml'), good);
  const show = async (...args: string[]) => {
    const { values } = JSON.parse(await runReg(registry.url, 'policy', 'show', 'tickets', '--json', ...args));
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

  await runReg(
    registry.url,
    'register',
    'tickets',
    '--url',
    '/tickets',
    '--endpoint',
    'http://127.0.0.1:1/tickets',
  );
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
