import { expect, test } from 'vitest';
import { freshService, registerArgs, useRegistry } from '../reg.fixture.ts';

const { reg, regJson } = useRegistry();

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
