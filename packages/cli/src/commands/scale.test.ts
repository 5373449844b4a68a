import { expect, test } from 'vitest';
import { freshService, registerArgs, useRegistry } from '../reg.fixture.ts';

const { reg, regJson } = useRegistry();

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
