import { expect, test } from 'vitest';
import { freshService, registerArgs, useRegistry } from '../reg.fixture.ts';

const { reg, regJson } = useRegistry();

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
